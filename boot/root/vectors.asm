; SPDX-License-Identifier: MIT
;
; Where L0's IDT leads.
;
; 1. Each stub brings the stack to one form: an error code (0 where the processor pushes none), the
;    vector. SDM "Error Code" lists the exceptions that have one.
; 2. All registers are pushed, which completes struct trap_frame.
; 3. host_trap() looks at it, may change RIP, and returns; so do we.
;
; GS base is L0's in root mode always, so there is nothing to swap.

default rel
bits 64

extern host_trap
global vector_stubs:data hidden

section .text

trap_common:
	push r15			; 2
	push r14
	push r13
	push r12
	push r11
	push r10
	push r9
	push r8
	push rdi
	push rsi
	push rbp
	push rsp			; spare: RSP is in the frame the processor pushed
	push rbx
	push rdx
	push rcx
	push rax
	mov rdi, rsp
	mov rbp, rsp
	and rsp, -16
	cld
	call host_trap			; 3
	mov rsp, rbp
	pop rax
	pop rcx
	pop rdx
	pop rbx
	add rsp, 8
	pop rbp
	pop rsi
	pop rdi
	pop r8
	pop r9
	pop r10
	pop r11
	pop r12
	pop r13
	pop r14
	pop r15
	add rsp, 16			; vector and error code
	iretq

%assign vector 0
%rep 32
stub_%+vector:				; 1
%if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
	push qword 0
%endif
	push qword vector
	jmp trap_common
%assign vector vector + 1
%endrep

section .data.rel.ro progbits alloc noexec write align=8
vector_stubs:
%assign vector 0
%rep 32
	dq stub_%+vector
%assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
