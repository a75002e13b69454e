; SPDX-License-Identifier: MIT
; L2's side of instructions.c: one label for each scenario.

bits 64
default rel
section .text

global l2_cpuid:data hidden
global l2_vmcall:data hidden

align 16
l2_cpuid:
	mov eax, 0x1234
	mov ecx, 5
	cpuid
	vmcall

align 16
l2_vmcall:
	mov rax, 0x1122334455667788
	mov r15, 0x8877665544332211
	vmcall
	mov rax, rbx
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
