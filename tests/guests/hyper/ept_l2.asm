; SPDX-License-Identifier: MIT
; L2's side of ept.c. RSI is the address to touch.

bits 64
default rel
section .text

global l2_read:data hidden
global l2_write:data hidden
global l2_call:data hidden
global l2_read_write:data hidden

align 16
l2_read:
	mov rax, [rsi]
	vmcall

align 16
l2_write:
	mov [rsi], rax
	vmcall

align 16
l2_call:
	call rsi
	vmcall

align 16
l2_read_write:
	lock add qword [rsi], 1
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
