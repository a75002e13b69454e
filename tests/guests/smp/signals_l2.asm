; SPDX-License-Identifier: MIT
; L2's side of the scenarios about INIT, SIPI and NMI. RSI: where to count.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; One instruction that shows, then an exit.
l2 signal_once
	inc rbx
	vmcall
	jmp l2_signal_once

l2 signal_spin
	inc rbx
	mov [rsi], rbx
	jmp l2_signal_spin

l2 signal_cpuid
	inc rbx
	mov [rsi], rbx
	cpuid
	jmp l2_signal_cpuid

; IRET to the next instruction, again and again.
l2 signal_irets
	inc qword [rsi]
	call iret_to_caller
	jmp l2_signal_irets

; The same once, and an exit.
l2 signal_iret_once
	call iret_to_caller
	inc rbx
	vmcall
	jmp l2_signal_iret_once

iret_to_caller:
	pop rcx
	mov rax, rsp
	mov edx, ss
	push rdx
	push rax
	pushfq
	mov edx, cs
	push rdx
	push rcx
	iretq

section .note.GNU-stack noalloc noexec nowrite progbits
