; SPDX-License-Identifier: MIT
; L2's side of debug.c, faults.c, unblocking.c, trap_flag.c, priorities.c and state.c.

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

; Turns TF on by POPF: the instruction after it is the first to be stepped.
l2 trap
	pushfq
	or qword [rsp], 0x100
	popfq
	nop
	nop
	vmcall

; The same, and what is stepped writes at RSI.
l2 trap_write
	pushfq
	or qword [rsp], 0x100
	popfq
	mov [rsi], eax
	nop
	vmcall

; With branches traced, only the jump traps.
l2 trap_branch
	pushfq
	or qword [rsp], 0x100
	popfq
	nop
	jmp .there
	nop
.there:
	nop
	vmcall

l2 write_twice
	mov [rsi], eax
	nop
	mov [rsi], eax
	nop
	vmcall

l2 port
	out 0x80, al
	nop
	vmcall

; RSI has a stack selector.
l2 mov_ss_write
	mov ss, [rsi]
	mov [rsi + 8], eax
	nop
	vmcall

l2 mov_ss_cpuid
	mov ss, [rsi]
	cpuid
	vmcall

l2 mov_ss_ud2
	mov ss, [rsi]
	ud2
	vmcall

l2 mov_dr
	mov dr0, rax
	nop
	vmcall

l2 int1
	db 0xf1
	vmcall

l2 int_80
	int 0x80
	vmcall

l2 int3
	int3
	vmcall

l2 ud2
	ud2
	vmcall

l2 hlt
	hlt
	nop
	vmcall

l2 sti_hlt
	sti
	hlt
	nop
	vmcall

l2 sti
	sti
	nop
	nop
	vmcall

l2 divide
	xor ecx, ecx
	div ecx
	vmcall

l2 x87
	fld1
	vmcall

l2 sse_overflow
	divss xmm0, xmm0
	vmcall

l2 load_ds
	mov ds, ax
	vmcall

l2 load_ss
	mov ss, ax
	vmcall

l2 load_tr
	ltr ax
	vmcall

l2 noncanonical
	mov rax, [rsi]
	vmcall

l2 noncanonical_stack
	mov rax, [rsp]
	vmcall

l2 read
	mov eax, [rsi]
	vmcall

l2 write
	mov [rsi], eax
	vmcall

l2 modify
	lock add [rsi], eax
	vmcall

l2 copy
	rep movsb
	vmcall

l2 push
	mov rsp, rsi
	push rax
	vmcall

l2 call
	call rsi
	vmcall

l2 bit_set
	bts [rsi], rax
	vmcall

; Accesses to the APIC page at RSI.
l2 apic_accesses
	mov eax, [rsi + 0x20]
	mov dword [rsi + 0x300], 0x1234
	mov dword [rsi + 0x80], 0x40
	add dword [rsi + 0x350], 5
	mov eax, [rsi + 0x3f]
	movsq
	vmcall

; EAX into the register at RSI.
l2 apic_write
	mov [rsi], eax
	vmcall

l2 jump
	jmp rsi

l2 long_instruction
	db 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e
	nop
	vmcall

; IRET with the frame at RSI.
l2 iret
	mov rsp, rsi
	iretq
	vmcall

; IRET to what follows; RSI is a stack of 40 free bytes whose top it is.
l2 iret_next
	mov rax, rsp
	mov rsp, rsi
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

; --- one kind of instruction after the other, for the monitor trap flag

l2 all_kinds
	nop
	mov eax, ss
	mov ss, eax
	sti
	cli
	pushfq
	popfq
	mov rax, cr0
	mov cr0, rax
	mov ecx, 3
	lea rdi, [rsp - 64]
	mov rsi, rdi
	rep movsb
	jmp .next
	nop
.next:
	call .function
	pause
	mov rax, cr2
	mov cr2, rax
	mov rax, dr6
	mov dr6, rax
	swapgs
	swapgs
	invlpg [rsp]
	lfence
	fnop
	xgetbv
	verr ax
	sldt ax
	rdtsc
	vmcall
.function:
	ret

; RCX is the number of an MSR.
l2 rdmsr
	rdmsr
	nop
	nop
	vmcall

l2 wrmsr
	wrmsr
	nop
	nop
	vmcall

l2 rdmsr_wrmsr
	rdmsr
	wrmsr
	nop
	vmcall

; The same single-stepped, and under STI.
l2 sti_wrmsr
	sti
	wrmsr
	nop
	vmcall

l2 mov_ss_wrmsr
	mov esi, ss
	mov ss, esi
	wrmsr
	nop
	vmcall

l2 trap_rdmsr
	pushfq
	or qword [rsp], 0x100
	popfq
	rdmsr
	nop
	vmcall

l2 sti_rdmsr
	sti
	rdmsr
	nop
	nop
	vmcall

l2 read_three
	mov eax, [rsi]
	mov eax, [rsi + 0x1000]
	mov eax, [rsi + 0x2000]
	vmcall

; CR8 := RBX after two accesses; RSI is the virtual-APIC page, RDI memory not used before.
l2 lower_then_touch
	mov dword [rsi + 0x80], 0x20
	mov eax, [rdi]
	mov eax, [rdi + 0x1000]
	mov cr8, rbx
	mov rdx, cr8
	vmcall

; The same by the MSR.
l2 lower_then_touch_msr
	mov dword [rsi + 0x80], 0x20
	mov eax, [rdi]
	mov ecx, 0x808
	mov eax, ebx
	xor edx, edx
	wrmsr
	rdmsr
	vmcall

l2 lower_and_raise
	mov dword [rsi + 0x80], 0x20
	mov eax, [rdi]
	mov dword [rsi + 0x80], 0x60
	mov eax, [rdi + 0x1000]
	mov cr8, rbx
	mov rdx, cr8
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
