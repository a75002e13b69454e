; SPDX-License-Identifier: MIT
; L2's side of vmcs_model.c: changes state that an exit saves, but no flags.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; ECX and EDX:EAX are an MSR and its value, R9D a data selector for ES.
l2 change_state
	wrmsr
	mov es, r9d
	vmcall
	jmp l2_change_state

section .note.GNU-stack noalloc noexec nowrite progbits
