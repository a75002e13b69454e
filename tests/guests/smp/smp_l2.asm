; SPDX-License-Identifier: MIT
; L2's side of the smp guest: a label for each kind of L2.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; One exit of each kind and a store, counted in RBX; RSI is the page, RDI the port.
l2 rounds
	mov eax, 0x1234
	cpuid
	mov edx, edi
	out dx, al
	inc qword [rsi]
	hlt
	inc r13
	vmcall
	jmp l2_rounds

; All of its state goes on: a register, memory, the stack pointer and a flag,
; AC, which each turn inverts and R13 counts. R12 turns, then VMCALL.
l2 continue
	mov rcx, r12
.turn:
	pushfq
	pop rax
	xor eax, 1 << 18
	push rax
	popfq
	shr eax, 18
	and eax, 1
	add r13, rax
	inc rbx
	add [rsi], rbx
	push rbx
	loop .turn
	vmcall
	jmp l2_continue

; RSI's first word is the number of the generation that maps it. R12 is the
; least one that is right; R14 counts what was less, R13 the reads.
l2 generations
	mov rax, [rsi]
	inc r13
	cmp rax, r12
	jae l2_generations
	inc r14
	jmp l2_generations

; Moves what L1 seldom reads: limits of GDTR and IDTR, DR7, FS. RBX counts.
l2 tables
	inc rbx
	sgdt [rsi]
	inc word [rsi]
	lgdt [rsi]
	sidt [rsi]
	dec word [rsi]
	lidt [rsi]
	mov rax, dr7
	xor eax, 1 << 8
	mov dr7, rax
	mov eax, ebx
	and eax, 1
	shl eax, 4
	mov fs, eax
	vmcall
	jmp l2_tables

l2 spin
	inc rbx
	jmp l2_spin

section .note.GNU-stack noalloc noexec nowrite progbits
