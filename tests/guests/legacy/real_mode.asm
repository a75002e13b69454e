; SPDX-License-Identifier: MIT
;
; One instruction in real mode. A blob is copied to a page below 1 MB, the instruction and
; three addresses are written into it, and step_real_mode goes there and back.
; 1. step_real_mode (32-bit, unpaged): ECX = the page, EDX = the selector of a 16-bit
;    code segment based there, whose neighbour above is a data segment alike. It loads
;    the blob's interrupt table and goes to its start.
; 2. The blob clears CR0.PE, runs the instruction, which #UD ends through vector 6, and
;    comes back with BX = 0, or the vector that it was.

section .text

global step_real_mode:data hidden
global real_mode_blob:data hidden
global real_mode_blob_end:data hidden
global real_mode_blob_segment:data hidden
global real_mode_blob_instruction:data hidden
global real_mode_blob_return:data hidden
global real_mode_blob_vectors:data hidden
global real_mode_blob_undefined:data hidden
global real_mode_arrive:data hidden
extern legacy_done

%define DATA 0x10
%define CODE32 0x18
%define CR0_PE 1

bits 32
step_real_mode:
	mov ebp, esp		; the program's stack
	lea eax, [ecx + real_mode_blob_vectors - real_mode_blob]
	push eax
	push word 0x3ff
	lidt [esp]
	lea eax, [edx + 8]
	mov ss, eax
	mov esp, 0xf00
	push edx
	push dword 0
	retf

bits 16
real_mode_blob:
	mov ds, ax
	mov es, ax
	mov eax, cr0
	and eax, ~CR0_PE
	mov cr0, eax
	db 0xea			; a far jump loads CS
	dw in_real_mode - real_mode_blob
real_mode_blob_segment:
	dw 0
in_real_mode:
	mov ax, cs
	mov ds, ax
	mov ss, ax
real_mode_blob_instruction:
	times 8 nop
	xor bx, bx
back:
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	db 0x66, 0xea
real_mode_blob_return:
	dd 0
	dw CODE32
real_mode_blob_undefined:
	mov bx, 6
	jmp back
align 4
real_mode_blob_vectors:
	times 8 dd 0
real_mode_blob_end:

bits 32
real_mode_arrive:
	mov eax, DATA
	mov ds, eax
	mov ss, eax
	mov esp, ebp
	mov ebp, esp
	and ebp, -4096
	lidt [ebp + 66]
	movzx eax, bx
	jmp legacy_done

section .note.GNU-stack noalloc noexec nowrite progbits
