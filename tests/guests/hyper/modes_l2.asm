; SPDX-License-Identifier: MIT
; L2's side of modes.c, outside 64-bit mode.

default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; Copied to 0800:0000. Calls INT 0x21 through the vector table, turns CR0.PE on.
bits 16
l2 real_mode
	mov ax, 0x1234
	mov bx, cs
	int 0x21
	cpuid
	mov eax, cr0
	or al, 1
	mov cr0, eax
	cpuid
	hlt
align 4
	mov cx, 0x5678
	iret
global l2_real_mode_end:data hidden
l2_real_mode_end:

; Copied to 0800:0000 in virtual-8086 mode.
l2 virtual_8086
	mov ax, cs
	mov bx, 0x1234
	push bx
	pop cx
	cpuid
	hlt
	cli
	in al, 0x80
	vmlaunch
	vmcall

l2 virtual_8086_flags
	cli
	pushf
	pop ax
	mov cx, 0x555
	mov es, cx
	vmcall

; Flat 32-bit code, and the same in compatibility mode.
bits 32
l2 code32
	mov eax, 0x11223344
	push eax
	pop ebx
	dec eax
	cpuid
	vmcall

l2 task_switch32
	jmp 0x30:0

; Reads at ESI before and after loading CR3 with EDX.
l2 pae_switch32
	mov eax, [esi]
	mov cr3, edx
	mov ebx, [esi]
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
