; SPDX-License-Identifier: MIT
; L2's side of pml.c: two pages, one after the other.

bits 64
default rel
section .text

global l2_write_two:data hidden
align 16
l2_write_two:
	mov [rsi], rax
	mov [rsi + 4096], rax
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
