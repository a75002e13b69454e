; SPDX-License-Identifier: MIT
; L2's side of vmcs_shadowing.c: one VMREAD or VMWRITE, then VMCALL with the flags in RBX.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; RCX is the field, RDX the value, RSI the address of a memory operand.
%macro told 2+
l2 %1
	%2
	pushfq
	pop rbx
	vmcall
%endmacro

	told shadow_read, vmread rdx, rcx
	told shadow_write, vmwrite rcx, rdx
	told shadow_read_memory, vmread [rsi], rcx
	told shadow_write_memory, vmwrite rcx, [rsi]
	told shadow_read_stack, vmread [rsp + rsi], rcx

section .note.GNU-stack noalloc noexec nowrite progbits
