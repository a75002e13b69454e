; SPDX-License-Identifier: MIT
; L2's side of io.c.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 out_forms
	mov al, 0x11
	out 0x80, al
	mov dx, 0x1234
	out dx, ax
	out dx, eax
	vmcall

l2 in_forms
	in al, 0x60
	mov dx, 0x5678
	in ax, dx
	in eax, dx
	vmcall

l2 string_io
	cld
	outsb
	std
	rep outsd
	cld
	insw
	rep insb
	vmcall

; Writes and reads back COM1's scratch register.
l2 scratch_register
	mov dx, 0x3ff
	mov al, bl
	out dx, al
	xor eax, eax
	in al, dx
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
