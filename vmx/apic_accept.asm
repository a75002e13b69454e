; SPDX-License-Identifier: MIT
;
; Taking external interrupts in L0 only to drop them, while the local APIC is reset
; (vmx/apic_reset.c). The one place where L0 has interrupts on.
;
; 1. STI takes effect after the instruction that follows it: the NOP. Every request that is not held
;    back by one in service is taken then.
; 2. Each comes to apic_drop, which does nothing; the caller ends it at the APIC. A machine check, which
;    pushes no error code either, comes here too; the caller finds it in IA32_MCG_STATUS.

bits 64

global apic_accept:function hidden
global apic_drop:function hidden

section .text

apic_accept:
	sti					; 1
	nop
	nop
	cli
	ret

apic_drop:
	iretq					; 2

section .note.GNU-stack noalloc noexec nowrite progbits
