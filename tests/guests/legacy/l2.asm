; SPDX-License-Identifier: MIT
;
; L2s of the program's VMs: 32-bit code, and 16-bit code to be copied below 1 MB.

section .text

global l2_cpuid_32:data hidden
global l2_real_mode:data hidden
global l2_real_mode_end:data hidden

bits 32
l2_cpuid_32:
	mov eax, 0x12345678
	cpuid
	mov eax, 0x9abcdef0
	vmcall
	hlt
	jmp l2_cpuid_32

bits 16
l2_real_mode:
	mov eax, 0x16161616
	cpuid
	vmcall
l2_real_mode_end:

section .note.GNU-stack noalloc noexec nowrite progbits
