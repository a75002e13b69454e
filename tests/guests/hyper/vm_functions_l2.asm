; SPDX-License-Identifier: MIT
; L2's side of vm_functions.c. RAX and RCX are VMFUNC's, RSI is the address to touch.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 vmfunc
	vmfunc
	vmcall

; What lies at the address before and after.
l2 vmfunc_read
	mov rbx, [rsi]
	vmfunc
	mov rdx, [rsi]
	vmcall

l2 vmfunc_after_sti
	sti
	vmfunc
	vmcall

; Through EPTP 0 to RDI - 1, R8 times; RDX and RBX gather what is found there.
l2 vmfunc_rounds
.round:
	xor ecx, ecx
.next:
	xor eax, eax
	vmfunc
	rol rbx, 7
	add rbx, [rsi]
	add rdx, [rsi]
	inc ecx
	cmp ecx, edi
	jb .next
	dec r8
	jnz .round
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
