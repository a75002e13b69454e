; SPDX-License-Identifier: MIT
; L2's side of msr.c: ECX is the MSR.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 rdmsr
	rdmsr
	vmcall

l2 wrmsr
	wrmsr
	vmcall

; RAX:RDX of the first in RSI:RDI.
l2 rdmsr_rdmsr
	rdmsr
	mov esi, eax
	mov edi, edx
	mov ecx, ebx
	rdmsr
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
