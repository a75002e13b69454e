; SPDX-License-Identifier: MIT
; L2's side of extensions.c. RSI is memory.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 monitor_mwait
	mov rax, rsi
	xor ecx, ecx
	xor edx, edx
	monitor
	xor eax, eax
	mwait
	vmcall

l2 xsaves
	xor edx, edx
	mov eax, 3
	xsaves [rsi]
	vmcall

l2 xrstors
	xor edx, edx
	mov eax, 3
	xrstors [rsi]
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
