; SPDX-License-Identifier: MIT
;
; The ELF's entry, called by the loader on each CPU (boot/handoff.h, handoff_entry):
;
;	u64 entry(struct handoff *handoff, u32 cpu_index);
;
; 1. Save the caller's registers on its own stack as a struct launch_frame.
; 2. root_prepare() sees to it that this CPU has a stack of L0's, still on the caller's.
; 3. root_main() runs on that stack. On success it never returns: the caller's frame has become the
;    guest's first state, and the guest goes on behind the call as though it had returned 0.
; 4. On failure it has put the firmware's world back; unwind and return the status.

%include "asm_offsets.inc"

default rel
bits 64

extern root_prepare
extern root_main
global entry:function hidden

section .text

entry:
	pushfq				; 1
	push r15
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
	push rsp			; spare
	push rbx
	push rdx
	push rcx
	push rax
	cld
	mov rbx, rsp			; the frame; callee-saved, like R12 and R13
	mov r12, rdi
	mov r13d, esi

	and rsp, -16			; 2
	sub rsp, 16
	mov rdx, rsp			; where to put the stack's top
	call root_prepare
	test eax, eax
	jnz .failed

	mov rsp, [rsp]			; 3
	mov rdi, r12
	mov esi, r13d
	mov rdx, rbx
	call root_main

.failed:				; 4
	mov rsp, rbx
	mov [rsp], rax			; becomes the caller's RAX
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
	popfq
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
