; SPDX-License-Identifier: MIT
;
; What the L2s of races do; each ends with VMCALL, but for the first.

bits 64
default rel
section .text

global l2_cpuid:data hidden
global l2_load:data hidden
global l2_store:data hidden
global l2_call:data hidden
global l2_accesses:data hidden
global l2_task_priority:data hidden

IA32_APIC_BASE equ 0x1b
IA32_SYSENTER_CS equ 0x174
IA32_VMX_BASIC equ 0x480
POST_PORT equ 0x80
SCRATCH_PORT equ 0x3ff			; COM1's scratch register

; The same bytes in 32-bit code.
l2_cpuid:
	cpuid
	vmcall

l2_load:
	mov rax, [rsi]
	vmcall

l2_store:
	mov [rsi], rax
	vmcall

l2_call:
	call rsi
	vmcall

; MSRs and ports that nobody minds; IA32_APIC_BASE keeps its value.
l2_accesses:
	mov ecx, IA32_SYSENTER_CS
	rdmsr
	mov ecx, IA32_VMX_BASIC
	rdmsr
	mov ecx, IA32_APIC_BASE
	rdmsr
	wrmsr
	in al, POST_PORT
	mov edx, SCRATCH_PORT
	in al, dx
	vmcall

l2_task_priority:
	mov rax, cr8
	mov eax, 9
	mov cr8, rax
	mov eax, 2
	mov cr8, rax
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
