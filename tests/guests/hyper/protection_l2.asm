; SPDX-License-Identifier: MIT
; L2's side of protection.c and shadow_stacks.c.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; The MSR of RCX: its value in R8, then RSI's low and RDI's low half in its place.
l2 exchange_msr
	rdmsr
	mov r8d, eax
	shl rdx, 32
	or r8, rdx
	mov eax, esi
	mov edx, edi
	wrmsr
	vmcall

; A call and its return; RBX and RAX are SSP within and after.
l2 shadow_call
	call .within
	rdsspq rax
	vmcall
.within:
	rdsspq rbx
	ret

; A return to another place than the call's.
l2 shadow_mismatch
	call .within
.after:
	vmcall
.within:
	lea rax, [.elsewhere]
	mov [rsp], rax
	ret
.elsewhere:
	vmcall

; Indirect jumps to a place without and with ENDBR64.
l2 tracked_jump
	lea rax, [.target]
	jmp rax
.target:
	vmcall

l2 tracked_jump_well
	lea rax, [.target]
	jmp rax
.target:
	endbr64
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
