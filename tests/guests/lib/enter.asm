; SPDX-License-Identifier: MIT
;
; Into L2 and back.
; 1. vm_enter(vm, launched) saves what C keeps on the stack, and RSP in vm.
; 2. It loads L2's registers from vm->gpr and does VMLAUNCH or VMRESUME.
; 3. HOST_RSP is the address of vm itself and never changes, so that a round
;    trip writes no host field; an exit arrives at vm_exit_point with
;    RSP = vm, stores L2's registers there and returns 0.
; 4. If the entry fails in place, vm_enter returns 1 (CF) or 2 (ZF).
; L1 runs with interrupts off here and takes exceptions on its IST stack, so
; nothing is pushed while RSP points at vm.

bits 64
default rel
section .text

global vm_enter:function hidden
global vm_exit_point:data hidden

%define L1_RSP 128

vm_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov [rdi + L1_RSP], rsp
	test sil, sil
	mov rax, [rdi + 0 * 8]
	mov rcx, [rdi + 1 * 8]
	mov rdx, [rdi + 2 * 8]
	mov rbx, [rdi + 3 * 8]
	mov rbp, [rdi + 5 * 8]
	mov rsi, [rdi + 6 * 8]
	mov r8, [rdi + 8 * 8]
	mov r9, [rdi + 9 * 8]
	mov r10, [rdi + 10 * 8]
	mov r11, [rdi + 11 * 8]
	mov r12, [rdi + 12 * 8]
	mov r13, [rdi + 13 * 8]
	mov r14, [rdi + 14 * 8]
	mov r15, [rdi + 15 * 8]
	mov rdi, [rdi + 7 * 8]
	jne .resume
	vmlaunch
	jmp .failed
.resume:
	vmresume
.failed:
	mov eax, 1
	mov ecx, 2
	cmovz eax, ecx
	pop rdi
	jmp restore

vm_exit_point:
	mov [rsp + 0 * 8], rax
	mov [rsp + 1 * 8], rcx
	mov [rsp + 2 * 8], rdx
	mov [rsp + 3 * 8], rbx
	mov [rsp + 5 * 8], rbp
	mov [rsp + 6 * 8], rsi
	mov [rsp + 7 * 8], rdi
	mov [rsp + 8 * 8], r8
	mov [rsp + 9 * 8], r9
	mov [rsp + 10 * 8], r10
	mov [rsp + 11 * 8], r11
	mov [rsp + 12 * 8], r12
	mov [rsp + 13 * 8], r13
	mov [rsp + 14 * 8], r14
	mov [rsp + 15 * 8], r15
	mov rsp, [rsp + L1_RSP]
	pop rdi
	xor eax, eax
restore:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
