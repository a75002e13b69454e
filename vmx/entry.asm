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
;    other register the guest's. Push one to have a register, store those that C functions may use.
; 6. Most exits end in vmx/quick.c: quick_handle() answers where `regs` are to resume at once, with
;    RBX, RBP and R12 to R15 never having left the processor. Or QUICK_ALL, QUICK_ALL_TRACED: it wants them stored,
;    too; or QUICK_RBX: it has changed RBX.
; 7. The way back to the guest from there, with a window of its own for NMIs.
; 8. Else the rest is stored and vcpu_enter returns.
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
global vcpu_quick_window:function hidden
global vcpu_quick_window_end:function hidden
global vcpu_quick_nmi:function hidden
extern quick_handle
extern quick_handle_all
extern quick_handle_all_traced

section .text

; What vcpu_enter's caller expects to find again.
%macro return 0
	add rsp, 8
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret
%endmacro

%macro store_kept 1
	mov [%1 + REGS_RBX], rbx
	mov [%1 + REGS_RBP], rbp
	mov [%1 + REGS_R12], r12
	mov [%1 + REGS_R13], r13
	mov [%1 + REGS_R14], r14
	mov [%1 + REGS_R15], r15
%endmacro

%macro load_kept 1
	mov rbx, [%1 + REGS_RBX]
	mov rbp, [%1 + REGS_RBP]
	mov r12, [%1 + REGS_R12]
	mov r13, [%1 + REGS_R13]
	mov r14, [%1 + REGS_R14]
	mov r15, [%1 + REGS_R15]
%endmacro

; What C functions may change, but the two registers that a pointer may be in.
%macro load_scratch 1
	mov rcx, [%1 + REGS_RCX]
	mov rdx, [%1 + REGS_RDX]
	mov rsi, [%1 + REGS_RSI]
	mov r8, [%1 + REGS_R8]
	mov r9, [%1 + REGS_R9]
	mov r10, [%1 + REGS_R10]
	mov r11, [%1 + REGS_R11]
%endmacro

vcpu_enter:
	push rbp				; 1
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rdi				; aligns the stack for the calls below
	mov [gs:PERCPU_EXIT_REGS], rdi
	mov [gs:PERCPU_EXIT_RSP], rsp

vcpu_enter_window:
	cmp qword [gs:PERCPU_STAY], 0		; 2
	jne vcpu_enter_nmi
	test sil, sil
	load_kept rdi				; 3
	load_scratch rdi
	mov rax, [rdi + REGS_RAX]
	mov rdi, [rdi + REGS_RDI]
	jz .launch
	vmresume				; 4
	jmp vcpu_enter_window_end
.launch:
	vmlaunch
vcpu_enter_window_end:
	mov eax, ENTRY_FAILED_VALID
	mov ecx, ENTRY_FAILED_INVALID
	cmovc eax, ecx
	return

vcpu_enter_nmi:
	mov eax, ENTRY_NMI
	return

align 16
vcpu_exit:
	push rdi				; 5
	mov rdi, [rsp + 8]
	mov [rdi + REGS_RAX], rax
	mov [rdi + REGS_RCX], rcx
	mov [rdi + REGS_RDX], rdx
	mov [rdi + REGS_RSI], rsi
	mov [rdi + REGS_R8], r8
	mov [rdi + REGS_R9], r9
	mov [rdi + REGS_R10], r10
	mov [rdi + REGS_R11], r11
	pop qword [rdi + REGS_RDI]
	mov rsp, [rsp + 8]
	call quick_handle			; 6
	cmp rax, QUICK_RBX			; the greatest that is no pointer
	jbe vcpu_exit_not_yet

vcpu_quick_window:
	cmp qword [gs:PERCPU_STAY], 0		; 7
	jne vcpu_quick_nmi
	load_scratch rax
	mov rdi, [rax + REGS_RDI]
	mov rax, [rax + REGS_RAX]
	vmresume
vcpu_quick_window_end:
	mov rdi, [gs:PERCPU_EXIT_REGS]
	store_kept rdi
	jmp vcpu_enter_window_end		; the flags still say how it failed

vcpu_quick_nmi:
	mov rdi, [gs:PERCPU_EXIT_REGS]
	store_kept rdi
	jmp vcpu_enter_nmi

vcpu_exit_not_yet:
	mov rdi, [gs:PERCPU_EXIT_REGS]		; 8
	je .rbx
	store_kept rdi
	cmp eax, QUICK_ALL_TRACED
	jbe .other
	call quick_handle_all
.all:
	cmp rax, QUICK_NO
	je .slow
	load_kept rax
	jmp vcpu_quick_window
.rbx:
	mov rbx, [rdi + REGS_RBX]
	mov rax, rdi
	jmp vcpu_quick_window
.other:
	je .traced
.slow:
	return					; RAX is QUICK_NO, the same as ENTRY_EXITED
.traced:
	call quick_handle_all_traced
	jmp .all

section .note.GNU-stack noalloc noexec nowrite progbits
