; SPDX-License-Identifier: MIT
; L2's side of main.c: writes of BX to PM1 control in several widths.

bits 64
default rel
section .text

%define PM1_CONTROL 0xb004

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 write_control
	mov eax, ebx
	mov dx, PM1_CONTROL
	out dx, ax
	vmcall

; Four bytes from the register below: its upper half is PM1 control.
l2 write_wide
	mov eax, ebx
	shl eax, 16
	mov dx, PM1_CONTROL - 2
	out dx, eax
	vmcall

l2 write_high
	mov eax, ebx
	mov al, ah
	mov dx, PM1_CONTROL + 1
	out dx, al
	vmcall

; An IN of a word leaves the rest of RAX alone.
l2 read_control
	mov dx, PM1_CONTROL
	in ax, dx
	mov ecx, eax
	movzx ecx, cx
	vmcall

l2 outs_control
	cld
	mov dx, PM1_CONTROL
	outsw
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
