; SPDX-License-Identifier: MIT
;
; What shows the hidden parts of L1's segment registers, and entries to L2 right
; behind instructions that block interrupts.
; 1. probe_read goes to compatibility mode, where bases and limits of ES, SS and DS
;    count, reads, and comes back. An exception is the guard's.
; 2. probe_port leaves for privilege level 3 for good: its end is an exception.
; 3. vm_resume_after_... keep the registers as vm_enter does, for the exit arrives at
;    vm_exit_point, which takes them from there. L2's registers are those of the exit
;    before, as far as it has any use for them: none.

bits 64
default rel
section .text

%define CODE64 0x08
%define DATA 0x10
%define CODE32 0x18
%define USER_CODE64 0x43
%define USER_DATA 0x4b
%define L1_RSP 128

global probe_read:function hidden
global probe_port:function hidden
global probe_resume_as_user:function hidden
global probe_resume_in_compatibility_mode:function hidden
global load_cs:function hidden
global vm_resume_after_sti:function hidden
global vm_resume_after_mov_ss:function hidden
global l2_cpuid_for_ever:data hidden

; probe_read(offset, segment)
probe_read:
	push rbx
	lea rbx, [rel .back]
	lea rax, [rel compatible]
	push CODE32
	push rax
	o64 retf
.back:
	pop rbx
	ret

bits 32
compatible:
	cmp esi, 1
	jb .es
	je .ss
	cmp esi, 3
	jb .ds
	je .fs
	mov eax, [gs:edi]
	jmp .done
.es:
	mov eax, [es:edi]
	jmp .done
.ss:
	mov eax, [ss:edi]
	jmp .done
.ds:
	mov eax, [ds:edi]
	jmp .done
.fs:
	mov eax, [fs:edi]
.done:
	push dword CODE64
	push ebx
	retf

resume_compatible:
	vmresume
	push dword CODE64
	push ebx
	retf

bits 64
probe_resume_in_compatibility_mode:
	push rbx
	lea rbx, [rel .back]
	lea rax, [rel resume_compatible]
	push CODE32
	push rax
	o64 retf
.back:
	pop rbx
	xor eax, eax
	ret

; The instructions at rax, at privilege level 3, on the stack rdi.
to_user_mode:
	push USER_DATA
	push rdi
	push 2
	push USER_CODE64
	push rax
	iretq

; probe_port(user_stack_top)
probe_port:
	lea rax, [rel .user]
	jmp to_user_mode
.user:
	in al, 0x80
	ud2

; probe_resume_as_user(user_stack_top)
probe_resume_as_user:
	lea rax, [rel .user]
	jmp to_user_mode
.user:
	vmresume
	ud2

; load_cs(selector)
load_cs:
	movzx eax, di
	lea rdx, [rel .back]
	push rax
	push rdx
	o64 retf
.back:
	ret

%macro keep_registers 0
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov [rdi + L1_RSP], rsp
%endmacro

vm_resume_after_sti:
	keep_registers
	sti
	vmresume
	jmp failed

vm_resume_after_mov_ss:
	keep_registers
	mov eax, DATA
	mov ss, eax
	vmresume

failed:
	mov eax, 1
	mov ecx, 2
	cmovz eax, ecx
	cli
	pop rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

l2_cpuid_for_ever:
	cpuid
	jmp l2_cpuid_for_ever

section .note.GNU-stack noalloc noexec nowrite progbits
