; SPDX-License-Identifier: MIT
;
; u64 launch_cpu(u64 entry, struct handoff *handoff, u64 cpu_index)
;
; 1. Saves the flags and turns interrupts off: the kernel must not be entered
;    in the middle of the firmware's interrupt handling.
; 2. Saves the registers that a caller expects back.
; 3. Calls the kernel's entry (boot/handoff.h). On success the *guest* comes
;    back from this call, with RAX = 0 and the stack as it was; on failure
;    the processor itself does. Both go on alike.
; 4. Restores and returns. This code must therefore stay in memory that L1
;    sees: the loader's own image, never the reserved block.

bits 64
section .text

global launch_cpu:function hidden
launch_cpu:
	pushfq
	cli
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15

	; Seven pushes and the return address: RSP is 16-byte aligned here.
	mov rax, rdi
	mov rdi, rsi
	mov rsi, rdx
	call rax

	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	popfq
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
