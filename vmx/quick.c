/* SPDX-License-Identifier: MIT */
/* Which exits have a quick way, and when nothing is quick: see vmx/quick.h. */

#include "vmx/quick.h"

#include "drivers/panic.h"
#include "vmx/emulate.h"
#include "vmx/handle_ept12.h"
#include "vmx/handle_quick.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_bitmaps.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/trace_exits.h"
#include "vmx/handle_quick_insn.h"

/* entry.asm passes the registers for the vCPU, and hands QUICK_NO on as vcpu_enter()'s answer. */
static_assert(QUICK_NO == 0 && ENTRY_EXITED == QUICK_NO, "in entry.asm");
static_assert(QUICK_ALL_TRACED == QUICK_NO + 1 && QUICK_ALL == QUICK_ALL_TRACED + 1, "compared as numbers there");
static_assert(offsetof(struct vcpu, regs) == 0, "`regs` come first");

static u64 resume(const struct vcpu *vcpu)
{
	return (u64)(uintptr_t)&vcpu->regs;
}

/* --- exits of L2 ----------------------------------------------------------------- */

u64 quick_go_on(struct vcpu *vcpu, u32 reason)
{
	if (likely(nested_in_l2(vcpu))) {
		emulate_reinject(vcpu);
		switch_prepare_resume(vcpu);
		count_kept(reason);
	}
	count_exit_reason(true, reason);
	return resume(vcpu);
}

static u64 give_to_l1(struct vcpu *vcpu, u64 reason)
{
	count_exit_reason(true, reason);
	return quick_leave(vcpu);
}

/* Exits that L1 may or may not want, and more than the reason tells which. */
static noinline u64 ask_owner(struct vcpu *vcpu, u32 reason)
{
	struct nested *nested = vcpu->nested;
	struct vm_exit exit = {
		.reason = reason, .basic = (u16)reason, .qualification = vmcs_read(vcpu->running, VMCS_EXIT_QUALIFICATION),
	};
	enum reflect_owner owner;

	if (reason == EXIT_EXCEPTION_OR_NMI)
		exit.interruption_information = (u32)vmcs_read(vcpu->running, VMCS_EXIT_INTERRUPTION_INFORMATION);
	if (exit_is_nmi(&exit))
		return QUICK_NO;
	nested->question.vmcs12 = nested->current->vmcs12;
	nested->question.exit = &exit;
	nested->question.msr = (u32)vcpu->regs.gpr[REG_RCX];
	owner = reflect(&nested->question);
	if (owner == OWNER_BITMAPS)
		owner = bitmaps02_owner(nested, &exit);
	if (owner == OWNER_L2)
		return quick_go_on(vcpu, reason);
	return owner == OWNER_L1 ? give_to_l1(vcpu, reason) : QUICK_NO;
}

/* A bitmap of L1's that stops what L2 does decides at once. */
static u64 ask_bitmaps(struct vcpu *vcpu, const struct quick_plan *plan, u64 reason)
{
	bool is_l1s = reason == EXIT_IO_INSTRUCTION ?
		      quick_port_is_l1s(plan, vmcs_read(vcpu->running, VMCS_EXIT_QUALIFICATION)) :
		      quick_msr_is_l1s(plan, (u32)vcpu->regs.gpr[REG_RCX], reason == EXIT_WRMSR ? MSR_WRITE : MSR_READ);

	return likely(is_l1s) ? give_to_l1(vcpu, reason) : ask_owner(vcpu, (u32)reason);
}

/* Also where L2 was entered the long way, for which its exits do not wait: a mere miss in EPT02 is over quickly all the same. */
static u64 ask_ept12(struct vcpu *vcpu, u32 reason)
{
	vcpu->running->launched = true;
	return handle_ept12_quick(vcpu, reason);
}

static u64 handle_l2(struct vcpu *vcpu, u64 reason)
{
	const struct quick_plan *plan = &vcpu->nested->current->quick;
	u8 owner;

	/* Bits 31:16 say what is out of the ordinary, a failed entry above all. */
	if (unlikely(reason >= EXIT_REASON_COUNT))
		return QUICK_NO;
	owner = plan->owners[reason];
	if (likely(owner == OWNER_L1))
		return give_to_l1(vcpu, reason);
	if (owner == OWNER_EPT12)
		return ask_ept12(vcpu, (u32)reason);
	if (owner == OWNER_BITMAPS)
		return ask_bitmaps(vcpu, plan, reason);
	return owner == OWNER_UNDECIDED ? ask_owner(vcpu, (u32)reason) : QUICK_NO;
}

/* --- exits of L1 ----------------------------------------------------------------- */

static u64 handle_l1_insn(struct vcpu *vcpu, u32 reason, u64 registers)
{
	const u64 by_operands = BIT(EXIT_VMCLEAR) | BIT(EXIT_VMPTRLD) | BIT(EXIT_VMPTRST) | BIT(EXIT_INVEPT) | BIT(EXIT_INVVPID);

	if (reason == EXIT_VMREAD)
		return handle_quick_vmread(vcpu, registers);
	if (reason == EXIT_VMWRITE)
		return handle_quick_vmwrite(vcpu, registers);
	return reason < 64 && bit_is_set(by_operands, reason) ? handle_quick_insn(vcpu, reason, registers) : QUICK_NO;
}

static u64 handle_l1(struct vcpu *vcpu, u64 reason)
{
	if (likely(reason == EXIT_VMRESUME))
		return quick_enter(vcpu);
	if (reason == EXIT_CPUID)
		return handle_quick_cpuid(vcpu);
	return handle_l1_insn(vcpu, (u32)reason, QUICK_FIRST);
}

/* --- which way ------------------------------------------------------------------- */

/* Where the long way is to find that its reason has been read (vmx/run.c), it is counted here. */
static u64 count_if_long(u64 answer)
{
	if (answer == QUICK_NO)
		count(COUNTER_VMREADS);
	return answer;
}

/* Something is in `attention`. Where that is tracing alone the exit takes the way that it would have taken without. */
static noinline u64 handle_with_attention(struct vcpu *vcpu)
{
	u64 answer;

	if (!vcpu->nested->tracing)
		return QUICK_NO;
	if (!trace_exit(vcpu))
		return quick_handle(vcpu);
	answer = vcpu->nested->attention ? QUICK_NO : count_if_long(quick_handle(vcpu));
	if (answer != QUICK_NO && answer != QUICK_ALL)
		trace_entry(vcpu, TRACE_QUICK);
	trace_resume(vcpu);
	return answer == QUICK_ALL ? QUICK_ALL_TRACED : answer;
}

/* Each exit's reason is read once, here; where nothing is quick, vmx/run.c counts that VMREAD. */
u64 quick_handle(struct vcpu *vcpu)
{
	u64 reason;

	/* In one instruction: the word is read once, here. */
	if (unlikely((vcpu->nested->attention | stop_reasons) != 0))
		return handle_with_attention(vcpu);
	reason = vmcs_read_known(vcpu->running, VMCS_EXIT_REASON);
	return nested_in_l2(vcpu) ? handle_l2(vcpu, reason) : handle_l1(vcpu, reason);
}

u64 quick_handle_all(struct vcpu *vcpu)
{
	return handle_l1_insn(vcpu, (u32)vmcs_read_known(&vcpu->vmcs01, VMCS_EXIT_REASON), QUICK_EVERY);
}

u64 quick_handle_all_traced(struct vcpu *vcpu)
{
	u64 answer = count_if_long(quick_handle_all(vcpu));

	if (answer != QUICK_NO)
		trace_entry(vcpu, TRACE_QUICK);
	return answer;
}
