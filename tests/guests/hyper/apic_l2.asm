; SPDX-License-Identifier: MIT
; L2's side of apic.c: RSI is the APIC page.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 apic_read
	mov eax, [rsi + 0x20]
	vmcall

l2 apic_write
	mov dword [rsi + 0x300], 0x1234
	vmcall

l2 apic_tpr
	mov eax, [rsi + 0x80]
	mov dword [rsi + 0x80], 0x60
	mov r8, cr8
	vmcall

l2 x2apic_tpr
	mov ecx, 0x808
	rdmsr
	mov ebx, eax
	mov eax, 0x50
	xor edx, edx
	wrmsr
	mov r8, cr8
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
