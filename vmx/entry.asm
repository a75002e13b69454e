; SPDX-License-Identifier: MIT
;
; VM entry as a function that returns at the VM exit. SysV calling convention:
;
;	u64 vcpu_enter(struct regs *regs, bool launched);	(vmx/vcpu.h)
;
; 1. Push what C expects to find again, and note stack pointer and `regs` in this CPU's exit frame.
; 2. From here to the entry no NMI may slip by: refuse to enter when one is pending, or, our bug, when
;    this CPU holds a lock; both are in one word of struct percpu. The NMI handler
;    sends whoever it finds between vcpu_enter_window and vcpu_enter_window_end to vcpu_enter_nmi;
;    `regs` is still whole then, and the stack pointer ours.
; 3. Load the guest's registers; RDI, our pointer, last. MOV leaves the flags of the TEST alone.
; 4. VMLAUNCH or VMRESUME. Coming out below it means that the instruction failed: say how.
; 5. vcpu_exit is where VM exits land (HOST_RIP), with RSP = &exit_frame.regs (HOST_RSP) and every
;    other register the guest's. Push one to have a register, store all, and return as vcpu_enter.
;
; CR2, debug registers, x87/SSE/AVX state: L0 uses none of it, so the guest's stays in place.

%include "asm_offsets.inc"

default rel
bits 64

global vcpu_enter:function hidden
global vcpu_exit:function hidden
global vcpu_enter_window:function hidden
global vcpu_enter_window_end:function hidden
global vcpu_enter_nmi:function hidden

section .text

%macro pop_callee_saved 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
%endmacro

vcpu_enter:
	push rbp				; 1
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [gs:PERCPU_EXIT_REGS], rdi
	mov [gs:PERCPU_EXIT_RSP], rsp

vcpu_enter_window:
	cmp qword [gs:PERCPU_STAY], 0		; 2
	jne vcpu_enter_nmi
	test sil, sil
	mov rax, [rdi + REGS_RAX]		; 3
	mov rcx, [rdi + REGS_RCX]
	mov rdx, [rdi + REGS_RDX]
	mov rbx, [rdi + REGS_RBX]
	mov rbp, [rdi + REGS_RBP]
	mov rsi, [rdi + REGS_RSI]
	mov r8, [rdi + REGS_R8]
	mov r9, [rdi + REGS_R9]
	mov r10, [rdi + REGS_R10]
	mov r11, [rdi + REGS_R11]
	mov r12, [rdi + REGS_R12]
	mov r13, [rdi + REGS_R13]
	mov r14, [rdi + REGS_R14]
	mov r15, [rdi + REGS_R15]
	mov rdi, [rdi + REGS_RDI]
	jz .launch
	vmresume				; 4
	jmp vcpu_enter_window_end
.launch:
	vmlaunch
vcpu_enter_window_end:
	mov eax, 1				; ENTRY_FAILED_VALID
	mov ecx, 2				; ENTRY_FAILED_INVALID
	cmovc eax, ecx
	pop_callee_saved
	ret

vcpu_enter_nmi:
	mov eax, 3				; ENTRY_NMI
	pop_callee_saved
	ret

align 16
vcpu_exit:
	push rdi				; 5
	mov rdi, [rsp + 8]
	mov [rdi + REGS_RAX], rax
	mov [rdi + REGS_RCX], rcx
	mov [rdi + REGS_RDX], rdx
	mov [rdi + REGS_RBX], rbx
	mov [rdi + REGS_RBP], rbp
	mov [rdi + REGS_RSI], rsi
	mov [rdi + REGS_R8], r8
	mov [rdi + REGS_R9], r9
	mov [rdi + REGS_R10], r10
	mov [rdi + REGS_R11], r11
	mov [rdi + REGS_R12], r12
	mov [rdi + REGS_R13], r13
	mov [rdi + REGS_R14], r14
	mov [rdi + REGS_R15], r15
	pop qword [rdi + REGS_RDI]
	mov rsp, [rsp + 8]
	xor eax, eax				; ENTRY_EXITED
	pop_callee_saved
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
