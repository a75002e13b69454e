; SPDX-License-Identifier: MIT
;
; L2s to which COM1 is passed through. l2_reader reads bytes, polled, and hands each to L1 by VMCALL in AL; l2_hung waits
; without an exit until one has come and somebody else has taken it, and then says so by VMCALL. l2_knocker has no such port.

bits 64
default rel
section .text

global l2_reader:data hidden, l2_hung:data hidden, l2_knocker:data hidden

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

l2_hung:
	mov edx, LINE_STATUS
.until_it_comes:
	mov ecx, 50000
	loop $
	in al, dx
	test al, 1
	jz .until_it_comes
.until_it_is_gone:
	mov ecx, 50000
	loop $
	in al, dx
	test al, 1
	jnz .until_it_is_gone
	vmcall
	jmp l2_hung

l2_knocker:
	vmcall
	jmp l2_knocker

section .note.GNU-stack noalloc noexec nowrite progbits
