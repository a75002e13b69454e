; SPDX-License-Identifier: MIT
; L2's side of corners.c.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; What no VMCS holds: read, then written.
l2 shared_registers
	mov r8, cr2
	mov r9, dr0
	mov r10, dr3
	movq r11, xmm0
	mov cr2, rax
	mov dr0, rbx
	mov dr3, rcx
	movq xmm0, rdx
	vmcall

; From flat 32-bit code without paging to IA-32e mode and back; ESI is CR3,
; EDI a far pointer to 64-bit code.
bits 32
l2 to_long_mode
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
	mov eax, cr0
	and eax, 0x7fffffff
	mov cr0, eax
	vmcall
	or eax, 0x80000000
	mov cr0, eax
	jmp far [edi]

section .note.GNU-stack noalloc noexec nowrite progbits
