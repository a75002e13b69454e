/* SPDX-License-Identifier: MIT */
/* Stepping over instructions and raising exceptions in the guest that runs. */

#include "vmx/emulate.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/breakpoints.h"
#include "vmx/events.h"
#include "vmx/insn_info.h"
#include "vmx/nested/nested.h"

u8 emulate_cpl(const struct vcpu *vcpu)
{
	return (u8)field_get(vmcs_read(vcpu->running, VMCS_GUEST_SS_ACCESS_RIGHTS), ACCESS_RIGHTS_DPL);
}

/* Outside 64-bit mode RIP wraps at 32 bits. */
static u64 next_rip(const struct vcpu *vcpu)
{
	u64 rip = vmcs_read(vcpu->running, VMCS_GUEST_RIP) + vmcs_read(vcpu->running, VMCS_EXIT_INSTRUCTION_LENGTH);
	bool long_mode = vmcs_read(vcpu->running, VMCS_GUEST_IA32_EFER) & EFER_LMA;
	bool mode_64bit = long_mode && (vmcs_read(vcpu->running, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);

	return mode_64bit ? rip : (u32)rip;
}

void emulate_advance(struct vcpu *vcpu)
{
	u64 interruptibility = vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE);
	const u64 one_instruction = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;

	nested_write(vcpu, VMCS_GUEST_RIP, next_rip(vcpu));
	if (interruptibility & one_instruction)
		nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, interruptibility & ~one_instruction);
	/* The trap after a single-stepped instruction is still due. SDM "Guest Non-Register State". */
	if ((vmcs_read(vcpu->running, VMCS_GUEST_RFLAGS) & RFLAGS_TF) &&
	    !(vmcs_read(vcpu->running, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
		nested_write(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			     vmcs_read(vcpu->running, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
	/* SDM "Monitor Trap Flag": the instruction that L0 carried out counts as one. */
	if (nested_in_l2(vcpu))
		vcpu->nested->monitor_trap = vmcs12_has(vcpu->nested->current->vmcs12, WORD_PROC, PROC_MONITOR_TRAP_FLAG);
}

void emulate_port_breakpoints(struct vcpu *vcpu, u16 port, u32 size)
{
	struct breakpoints breakpoints = { .dr7 = vmcs_read(vcpu->running, VMCS_GUEST_DR7) };
	u64 hit;

	if (likely(!(breakpoints.dr7 & DR7_ENABLES)) || !(vmcs_read(vcpu->running, VMCS_GUEST_CR4) & CR4_DE))
		return;
	breakpoints.address[0] = read_dr0();
	breakpoints.address[1] = read_dr1();
	breakpoints.address[2] = read_dr2();
	breakpoints.address[3] = read_dr3();
	hit = breakpoints_hit_port(&breakpoints, port, size);
	if (hit != 0)
		nested_write(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			     vmcs_read(vcpu->running, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | hit);
}

/* Would this exception in L2 be an exit to L1? Not asked for #PF, which L0 never raises there. */
static bool l1_intercepts(const struct vcpu *vcpu, u8 vector)
{
	return nested_in_l2(vcpu) && bit_is_set(vmcs12_get(vcpu->nested->current->vmcs12, VMCS_EXCEPTION_BITMAP), vector);
}

void emulate_exception(struct vcpu *vcpu, u8 vector, u32 error_code)
{
	u32 information = event_exception(vector);
	bool real_mode = !(vmcs_read(vcpu->running, VMCS_GUEST_CR0) & CR0_PE);

	if (real_mode) /* no error codes there. SDM "VM-Entry Controls for Event Injection" */
		information &= ~(u32)INTERRUPTION_DELIVER_ERROR_CODE;
	nested_write(vcpu, VMCS_GUEST_RFLAGS, vmcs_read(vcpu->running, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	if (l1_intercepts(vcpu, vector)) {
		switch_leave_for_event(vcpu, information, error_code);
		return;
	}
	nested_write(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
	nested_write(vcpu, VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
}

void emulate_page_fault(struct vcpu *vcpu, u64 address, u32 error_code)
{
	write_cr2(address);
	emulate_exception(vcpu, VECTOR_PF, error_code);
}

void emulate_reinject_event(struct vcpu *vcpu, u64 vectoring)
{
	u64 interruptibility;

	if (vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID)
		return;
	nested_write(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, vectoring & ~INTERRUPTION_NMI_UNBLOCKING);
	if (vectoring & INTERRUPTION_DELIVER_ERROR_CODE)
		nested_write(vcpu, VMCS_ENTRY_EXCEPTION_ERROR_CODE, vmcs_read(vcpu->running, VMCS_IDT_VECTORING_ERROR_CODE));
	if (interruption_has_length(vectoring))
		nested_write(vcpu, VMCS_ENTRY_INSTRUCTION_LENGTH, vmcs_read(vcpu->running, VMCS_EXIT_INSTRUCTION_LENGTH));
	if (interruption_is_nmi(vectoring)) {
		/* Its delivery has blocked NMIs already; injected again, it does so again. */
		interruptibility = vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE);
		nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, interruptibility & ~INTERRUPTIBILITY_NMI);
	}
}

void emulate_keep_nmi_blocking(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 pin;

	if (!(exit->qualification & QUALIFICATION_NMI_UNBLOCKING))
		return;
	/* The bit is undefined where IRET does not end blocking. */
	pin = vmcs_read(vcpu->running, VMCS_PIN_BASED_CONTROLS);
	if ((pin & PIN_NMI_EXITING) && !(pin & PIN_VIRTUAL_NMIS))
		return;
	if (exit->basic == EXIT_EPT_VIOLATION && !(vmcs_read(vcpu->running, VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID))
		nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE,
			     vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_NMI);
}
