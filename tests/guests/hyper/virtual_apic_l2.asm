; SPDX-License-Identifier: MIT
; L2's side of virtual_apic.c: RSI is the APIC page.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 apic_eoi
	nop
	mov dword [rsi + 0xb0], 0
	nop
	vmcall

l2 apic_command
	mov [rsi + 0x300], eax
	nop
	vmcall

l2 apic_command_high
	mov [rsi + 0x310], eax
	mov ebx, [rsi + 0x310]
	vmcall

; Wider than a register: not virtualized.
l2 apic_wide
	mov rax, [rsi + 0x80]
	vmcall

l2 x2apic_write
	wrmsr
	nop
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
