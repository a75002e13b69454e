; SPDX-License-Identifier: MIT
; L2's side of the guest abort.

default rel
section .text

bits 64
global l2_nothing:data hidden
align 16
l2_nothing:
	vmcall

; Flat 32-bit code that turns IA-32e mode on by itself; ECX is the page table of 4 levels.
bits 32
global l2_to_long_mode:data hidden
align 16
l2_to_long_mode:
	mov esi, ecx
	mov eax, cr0
	and eax, 0x7fffffff
	mov cr0, eax
	mov ecx, 0xc0000080
	mov eax, 0x100
	xor edx, edx
	wrmsr
	mov eax, cr4
	or eax, 0x20
	mov cr4, eax
	mov cr3, esi
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
