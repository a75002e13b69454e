; SPDX-License-Identifier: MIT
; L2's side of events.c, vectoring.c, windows.c, interrupts.c and vms.c.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 nops
	nop
	nop
	nop
	vmcall

l2 ud2
	ud2
	vmcall

l2 int_80
	int 0x80
	vmcall

l2 int3
	int3
	vmcall

l2 divide
	xor ecx, ecx
	div ecx
	vmcall

l2 page_fault
	mov [rsi], eax
	vmcall

; Interrupts are blocked for one instruction after STI.
l2 sti_nops
	sti
	nop
	nop
	vmcall

l2 mov_ss_nops
	mov eax, ss
	mov ss, eax
	nop
	nop
	vmcall

l2 spin
	pause
	inc rbx
	jmp l2_spin

; EAX into the interrupt command register: by MSR 0x830 if RDI, else at RSI.
l2 send_ipi
	mov ecx, 0x830
	test rdi, rdi
	jnz .msr
	mov [rsi], eax
	jmp .sent
.msr:
	wrmsr
.sent:
	times 16 nop
	vmcall

l2 sti_hlt
	sti
	hlt
	vmcall

l2 push_popf
	pushfq
	or qword [rsp], 0x100
	popfq
	nop
	nop
	vmcall

; IRET to the next instruction: ends blocking by NMI.
l2 iret_nops
	mov rax, rsp
	mov ecx, ss
	push rcx
	push rax
	pushfq
	mov ecx, cs
	push rcx
	lea rcx, [rel .after]
	push rcx
	iretq
.after:
	nop
	vmcall

; Counts its own VMCALLs in RBX and sums up R12's steps of its own in R13.
l2 count
	inc rbx
	add r13, r12
	mov rax, [rsi]
	add [rsi], rbx
	vmcall
	jmp l2_count

section .note.GNU-stack noalloc noexec nowrite progbits
