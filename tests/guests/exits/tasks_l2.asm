; SPDX-License-Identifier: MIT
; L2's side of tasks.c: 32-bit code.

bits 32
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 task_jmp
	jmp 0x30:0

l2 task_call
	call 0x30:0x1234

l2 task_jmp_indirect
	jmp far [esi]

l2 task_iret
	iret

l2 task_int
	int 0x80

l2 task_int3
	int3

l2 task_ud2
	ud2

l2 task_page_fault
	mov eax, [esi]

l2 task_nops
	nop
	nop
	nop
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
