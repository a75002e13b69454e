; SPDX-License-Identifier: MIT
; L2's side of misses.c: RSI is memory that was not touched yet.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; One page after the other, RCX of them.
l2 walk_pages
	inc rbx
	mov rax, [rsi]
	add rsi, 4096
	loop l2_walk_pages
	vmcall

l2 read_three
	mov rax, [rsi]
	mov rax, [rsi + 4096]
	mov rax, [rsi + 8192]
	vmcall

l2 sti_read
	sti
	mov rax, [rsi]
	nop
	vmcall

l2 mov_ss_read
	mov eax, ss
	mov ss, eax
	mov rax, [rsi]
	nop
	vmcall

l2 step_read
	pushfq
	or qword [rsp], 0x100
	popfq
	mov rax, [rsi]
	nop
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
