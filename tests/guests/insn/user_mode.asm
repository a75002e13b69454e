; SPDX-License-Identifier: MIT
;
; Runs a function at privilege level 3. It does not come back: the exception
; that ends it goes to the guard of whoever called.

bits 64
default rel
section .text

global user_mode_enter:function hidden

%define USER_CODE64 0x43
%define USER_DATA 0x4b

; user_mode_enter(function, a, b, stack_top)
user_mode_enter:
	lea rax, [rel .returned]
	mov [rcx - 16], rax
	lea r8, [rcx - 16]
	push USER_DATA
	push r8
	push 2
	push USER_CODE64
	push rdi
	mov rdi, rsi
	mov rsi, rdx
	iretq

; Only if the function was allowed to do what it did.
.returned:
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
