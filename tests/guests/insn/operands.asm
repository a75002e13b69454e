; SPDX-License-Identifier: MIT
;
; VMREAD, VMWRITE, VMPTRST with each register and several forms of memory
; operand, for operands.c. RDI = field (or buffer), RSI = value (or buffer).

bits 64
default rel
section .text

global operand_vmread_all:function hidden
global operand_vmwrite_all:function hidden
global operand_forms:function hidden
global operand_field_registers:function hidden

; operand_vmread_all(field, u64 out[16]): VMREAD into every register but RSP
operand_vmread_all:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	%macro read_into 2
	vmread %1, rdi
	mov [rsi + 8 * %2], %1
	%endmacro
	read_into rax, 0
	read_into rcx, 1
	read_into rdx, 2
	read_into rbx, 3
	read_into rbp, 5
	read_into r8, 8
	read_into r9, 9
	read_into r10, 10
	read_into r11, 11
	read_into r12, 12
	read_into r13, 13
	read_into r14, 14
	read_into r15, 15
	mov rax, rsp
	vmread rsp, rdi
	mov [rsi + 8 * 4], rsp
	mov rsp, rax
	mov rax, rdi
	mov rcx, rsi
	vmread rsi, rax
	mov [rcx + 8 * 6], rsi
	vmread rdi, rax
	mov [rcx + 8 * 7], rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; operand_vmwrite_all(field, u64 out[16]): VMWRITE n + 1 from register n, read back
operand_vmwrite_all:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [rel saved_rsp], rsp
	%macro write_from 2
	mov %1, %2 + 1
	vmwrite rdi, %1
	vmread [rsi + 8 * %2], rdi
	%endmacro
	write_from rax, 0
	write_from rcx, 1
	write_from rdx, 2
	write_from rbx, 3
	write_from rsp, 4
	mov rsp, [rel saved_rsp]
	write_from rbp, 5
	write_from r8, 8
	write_from r9, 9
	write_from r10, 10
	write_from r11, 11
	write_from r12, 12
	write_from r13, 13
	write_from r14, 14
	write_from r15, 15
	mov rax, rdi
	mov rcx, rsi
	mov rsi, 7
	vmwrite rax, rsi
	vmread [rcx + 8 * 6], rax
	mov rdi, 8
	vmwrite rax, rdi
	vmread [rcx + 8 * 7], rax
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; operand_field_registers(field, u64 out[4]): the field in high registers
operand_field_registers:
	push r12
	push r15
	mov r8, rdi
	vmread [rsi], r8
	mov r12, rdi
	vmread [rsi + 8], r12
	mov r15, rdi
	vmread r9, r15
	mov [rsi + 16], r9
	mov r9, 0x77
	vmwrite r15, r9
	vmread [rsi + 24], r15
	pop r15
	pop r12
	ret

; operand_forms(u64 buffer[16], scratch): VMPTRST through ten forms of address
operand_forms:
	push rbx
	push rbp
	push r12
	push r13
	mov ecx, 1
	vmptrst [rdi]			; base
	vmptrst [rdi + 8]		; base + disp8
	vmptrst [rdi + rcx * 8 + 8]	; base + index * 8 + disp8
	lea rbx, [rdi - 0x12340]
	vmptrst [rbx + 0x12340 + 24]	; base + disp32
	mov rdx, 16
	vmptrst [rdi + rdx * 2]		; base + index * 2
	lea rbp, [rdi + 40]
	vmptrst [rbp]			; RBP needs a displacement
	lea r12, [rdi + 48]
	vmptrst [r12]			; R12 needs a SIB byte
	lea r13, [rdi + 56]
	vmptrst [r13]
	mov rdx, rdi
	shr rdx, 3
	vmptrst [rdx * 8 + 64]		; index * 8 + disp32, no base
	vmptrst [edi + 72]		; 32-bit address size
	mov rax, rsp
	lea rsp, [rdi + 80]
	vmptrst [rsp]			; RSP as base
	mov rsp, rax
	vmptrst [rel buffer]		; RIP-relative
	mov rax, [rel buffer]
	mov [rdi + 88], rax
	mov rdx, -1
	lea rbx, [rdi + 97]
	vmptrst [rbx + rdx]		; a negative index
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; operand_by_stack(address, unused): VMPTRST through RBP, whose segment is SS
global operand_by_stack:function hidden
operand_by_stack:
	push rbp
	mov rbp, rdi
	vmptrst [rbp]
	pop rbp
	xor eax, eax
	ret

; Prefixes: operand_prefix_NAME(address, field). SDM "Instruction Prefixes": those that are no part of the
; encoding are ignored or make it another, undefined instruction.
%macro prefixed 3+
global operand_prefix_%1:function hidden
operand_prefix_%1:
	db %2
	%3
	setc al
	setz cl
	movzx eax, al
	movzx ecx, cl
	shl ecx, 1
	or eax, ecx
	ret
%endmacro

	prefixed lock_vmptrst, 0xf0, {vmptrst [rdi]}
	prefixed lock_vmread, 0xf0, {vmread [rdi], rsi}
	prefixed lock_vmresume, 0xf0, {vmresume}
	prefixed 66_vmread, 0x66, {vmread [rdi], rsi}
	prefixed f2_vmread, 0xf2, {vmread [rdi], rsi}
	prefixed f3_vmwrite, 0xf3, {vmwrite rsi, [rdi]}
	prefixed f2_vmptrst, 0xf2, {vmptrst [rdi]}
	prefixed f3_vmptrst, 0xf3, {vmptrst [rdi]}
	prefixed rex_vmread, 0x48, {vmread [rdi], rsi}
	prefixed rex_vmptrst, 0x48, {vmptrst [rdi]}
	prefixed segment_vmptrst, 0x2e, {vmptrst [rdi]}
	prefixed 66_vmresume, 0x66, {vmresume}

section .data
align 8
saved_rsp: dq 0
buffer: dq 0

section .note.GNU-stack noalloc noexec nowrite progbits
