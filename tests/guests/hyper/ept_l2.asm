; SPDX-License-Identifier: MIT
; L2's side of ept.c. RSI is the address to touch.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 read
	mov rax, [rsi]
	vmcall

l2 write
	mov [rsi], rax
	vmcall

; What is written still is a RET.
l2 write_ret
	mov byte [rsi], 0xc3
	vmcall

l2 call
	call rsi
	vmcall

l2 read_write
	lock add qword [rsi], 1
	vmcall

; Again and again: L1 changes the mapping at the VMCALL.
l2 read_twice
	mov rax, [rsi]
	vmcall
	mov rax, [rsi]
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
