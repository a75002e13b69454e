; SPDX-License-Identifier: MIT
;
; An L2 to which COM1 is passed through: it reads bytes, polled, and hands each to L1 by VMCALL in AL.

bits 64
default rel
section .text

global l2_reader:data hidden

%define DATA 0x3f8
%define LINE_STATUS 0x3fd

l2_reader:
	mov edx, LINE_STATUS
.wait:
	in al, dx
	test al, 1
	jz .wait
	mov edx, DATA
	in al, dx
	vmcall
	jmp l2_reader

section .note.GNU-stack noalloc noexec nowrite progbits
