/* SPDX-License-Identifier: MIT */
/* Which exits have a quick way, and when nothing is quick: see vmx/quick.h. */

#include "vmx/quick.h"

#include "drivers/panic.h"
#include "vmx/exits.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"

/* entry.asm passes the registers for the vCPU. */
static_assert(offsetof(struct vcpu, regs) == 0, "`regs` come first");

static u64 resume(const struct vcpu *vcpu)
{
	return (u64)(uintptr_t)&vcpu->regs;
}

static u64 quick_l1(struct vcpu *vcpu, u32 reason)
{
	if (reason != EXIT_VMRESUME || !quick_enter(vcpu))
		return QUICK_NO;
	count(COUNTER_EXITS);
	count(COUNTER_EXITS_L1);
	count_exit_reason(false, reason);
	return resume(vcpu);
}

static u64 quick_l2(struct vcpu *vcpu, u32 reason)
{
	struct nested *nested = vcpu->nested;
	struct vm_exit exit = { .reason = reason, .basic = (u16)reason };

	/* Bits 31:16 say what is out of the ordinary, a failed entry above all. */
	if (reason > EXIT_REASON_BASIC || !nested->current->quick.entered || nested->question.watches_tpr)
		return QUICK_NO;
	if (reason == EXIT_EXCEPTION_OR_NMI)
		exit.interruption_information = (u32)vmcs_read(vcpu->running, VMCS_EXIT_INTERRUPTION_INFORMATION);
	exit.qualification = vmcs_read(vcpu->running, VMCS_EXIT_QUALIFICATION);
	nested->question.vmcs12 = nested->current->vmcs12;
	nested->question.exit = &exit;
	nested->question.msr = (u32)vcpu->regs.gpr[REG_RCX];
	if (!reflect_is_known(reason) || reflect(&nested->question) != OWNER_L1 || exit_is_nmi(&exit) || !quick_leave(vcpu, NULL))
		return QUICK_NO;
	count(COUNTER_EXITS);
	count(COUNTER_EXITS_L2);
	count_exit_reason(true, reason);
	return resume(vcpu);
}

u64 quick_handle(struct vcpu *vcpu)
{
	u32 reason;

	if (unlikely(vcpu->nested->attention != 0) || unlikely(panic_is_active()))
		return QUICK_NO;
	reason = (u32)vmcs_read(vcpu->running, VMCS_EXIT_REASON);
	return nested_in_l2(vcpu) ? quick_l2(vcpu, reason) : quick_l1(vcpu, reason);
}

u64 quick_handle_all(struct vcpu *vcpu)
{
	(void)vcpu;
	return QUICK_NO;
}
