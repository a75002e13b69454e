; SPDX-License-Identifier: MIT
;
; Exception and interrupt entry of L1, and the guard's save and resume.
; 1. Each vector has a 16-byte stub that makes the frames alike (a zero where
;    the CPU pushes no error code) and pushes its number.
; 2. The common part saves what C may change and calls trap_handler().
; 3. guard_save() returns 0; after guard_resume() it returns again, with 1.

bits 64
default rel
section .text

extern trap_handler
global trap_stubs:data hidden
global guard_save:function hidden
global guard_resume:function hidden

; SDM "Error Code": these exceptions push one.
%define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

align 16
trap_stubs:
%assign n 0
%rep 256
	align 16
	%if !HAS_ERROR_CODE(n)
	push 0
	%endif
	push strict dword n
	jmp strict near trap_common
	%assign n n + 1
%endrep

trap_common:
	; the frame now begins with the vector
	push r11
	push r10
	push r9
	push r8
	push rdi
	push rsi
	push rdx
	push rcx
	push rax
	cld
	mov rdi, rsp
	mov rax, rsp
	and rsp, -16
	push rax
	push rax
	call trap_handler
	pop rax
	pop rsp
	pop rax
	pop rcx
	pop rdx
	pop rsi
	pop rdi
	pop r8
	pop r9
	pop r10
	pop r11
	add rsp, 16
	iretq

guard_save:
	mov [rdi + 0], rbx
	mov [rdi + 8], rbp
	mov [rdi + 16], r12
	mov [rdi + 24], r13
	mov [rdi + 32], r14
	mov [rdi + 40], r15
	lea rax, [rsp + 8]
	mov [rdi + 48], rax
	mov rax, [rsp]
	mov [rdi + 56], rax
	xor eax, eax
	ret

guard_resume:
	mov rbx, [rdi + 0]
	mov rbp, [rdi + 8]
	mov r12, [rdi + 16]
	mov r13, [rdi + 24]
	mov r14, [rdi + 32]
	mov r15, [rdi + 40]
	mov rsp, [rdi + 48]
	mov eax, 1
	jmp [rdi + 56]

section .note.GNU-stack noalloc noexec nowrite progbits
