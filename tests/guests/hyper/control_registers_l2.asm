; SPDX-License-Identifier: MIT
; L2's side of control_registers.c.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; Reads CR0 into RBX, writes RAX to it, CLTS, reads it again into RCX.
l2 cr0_writes
	mov rbx, cr0
	mov cr0, rax
	clts
	mov rcx, cr0
	vmcall

l2 lmsw
	lmsw ax
	lmsw [rsi]
	smsw r8
	vmcall

l2 cr3
	mov rbx, cr3
	mov cr3, rax
	mov cr3, r9
	vmcall

; Reads CR4 into RBX, writes RAX, reads into RCX.
l2 cr4
	mov rbx, cr4
	mov cr4, rax
	mov rcx, cr4
	vmcall

l2 cr8
	mov cr8, rax
	mov r10, cr8
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
