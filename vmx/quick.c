/* SPDX-License-Identifier: MIT */
/* Which exits have a quick way, and when nothing is quick: see vmx/quick.h. */

#include "vmx/quick.h"

#include "drivers/panic.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/handle_ept12.h"
#include "vmx/handle_quick.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/handle_quick_insn.h"

/* entry.asm passes the registers for the vCPU. */
static_assert(offsetof(struct vcpu, regs) == 0, "`regs` come first");

/* What exits.def says of an exit of L2: who has it, and by which control. */
enum owner_rule { RULE_NONE, RULE_ALWAYS_L1, RULE_IF, RULE_ASK };

#define L0 RULE_NONE
#define L1 RULE_ALWAYS_L1
#define IF(word, name) RULE_IF
#define ASK(function) RULE_ASK
static const u8 owner_rules[EXIT_REASON_COUNT] = {
#define X(number, name, handler, rule) [number] = rule,
#include "vmx/exits.def"
#undef X
};
#undef L0
#undef L1
#undef IF
#undef ASK

struct owner_control {
	enum control_word word;
	u32 control;
};

#define L0 { .control = 0 }
#define L1 { .control = 0 }
#define IF(w, name) { .word = WORD_##w, .control = w##_##name }
#define ASK(function) { .control = 0 }
static const struct owner_control owner_controls[EXIT_REASON_COUNT] = {
#define X(number, name, handler, rule) [number] = rule,
#include "vmx/exits.def"
#undef X
};
#undef L0
#undef L1
#undef IF
#undef ASK

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
	}
	count_exit_reason(true, reason);
	return resume(vcpu);
}

/* Exits that L1 may or may not want. */
static noinline u64 ask_owner(struct vcpu *vcpu, u32 reason)
{
	struct nested *nested = vcpu->nested;
	const struct vm_exit exit = {
		.reason = reason, .basic = (u16)reason, .qualification = vmcs_read(vcpu->running, VMCS_EXIT_QUALIFICATION),
		.interruption_information = (u32)vmcs_read(vcpu->running, VMCS_EXIT_INTERRUPTION_INFORMATION),
	};
	enum reflect_owner owner;

	if (exit_is_nmi(&exit))
		return QUICK_NO;
	nested->question.vmcs12 = nested->current->vmcs12;
	nested->question.exit = &exit;
	nested->question.msr = (u32)vcpu->regs.gpr[REG_RCX];
	owner = reflect(&nested->question);
	if (owner == OWNER_EPT12)
		return handle_ept12_quick(vcpu, reason);
	if (owner == OWNER_BITMAPS)
		owner = bitmaps02_owner(nested, &exit);
	if (owner == OWNER_L2)
		return quick_go_on(vcpu, reason);
	if (owner != OWNER_L1)
		return QUICK_NO;
	count_exit_reason(true, reason);
	return quick_leave(vcpu);
}

static noinline u64 ask_control(struct vcpu *vcpu, u32 reason)
{
	const struct owner_control *owner = &owner_controls[reason];

	if (!vmcs12_has(vcpu->nested->current->vmcs12, owner->word, owner->control))
		return QUICK_NO;
	count_exit_reason(true, reason);
	return quick_leave(vcpu);
}

/* L2 was entered the long way, for which its exits do not wait: a mere miss in EPT02 is over quickly all the same. */
static noinline u64 handle_other_l2(struct vcpu *vcpu, u32 reason)
{
	if (reason != EXIT_EPT_VIOLATION || !vmcs12_has(vcpu->nested->current->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT))
		return QUICK_NO;
	vcpu->running->launched = true;
	return handle_ept12_quick(vcpu, reason);
}

static u64 handle_l2(struct vcpu *vcpu, u32 reason)
{
	/* Bits 31:16 say what is out of the ordinary, a failed entry above all. */
	if (unlikely(reason >= EXIT_REASON_COUNT) || unlikely(!quick_may_leave(vcpu->nested)))
		return handle_other_l2(vcpu, reason);
	if (unlikely(owner_rules[reason] != RULE_ALWAYS_L1)) {
		/* The rule that is asked most often, and what it says. */
		if (reason == EXIT_EPT_VIOLATION && likely(vmcs12_has(vcpu->nested->current->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT)))
			return handle_ept12_quick(vcpu, reason);
		if (owner_rules[reason] == RULE_IF)
			return ask_control(vcpu, reason);
		return owner_rules[reason] == RULE_ASK ? ask_owner(vcpu, reason) : QUICK_NO;
	}
	count_exit_reason(true, reason);
	return quick_leave(vcpu);
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

static u64 handle_l1(struct vcpu *vcpu, u32 reason)
{
	if (likely(reason == EXIT_VMRESUME))
		return quick_enter(vcpu);
	if (reason == EXIT_CPUID)
		return handle_quick_cpuid(vcpu);
	return handle_l1_insn(vcpu, reason, QUICK_FIRST);
}

/* Each exit's reason is read once, here; where nothing is quick, vmx/run.c counts that VMREAD. */
u64 quick_handle(struct vcpu *vcpu)
{
	u32 reason;

	if (unlikely(vcpu->nested->attention != 0) || unlikely(panic_is_active()))
		return QUICK_NO;
	reason = (u32)vmcs_read_known(vcpu->running, VMCS_EXIT_REASON);
	return nested_in_l2(vcpu) ? handle_l2(vcpu, reason) : handle_l1(vcpu, reason);
}

u64 quick_handle_all(struct vcpu *vcpu)
{
	return handle_l1_insn(vcpu, (u32)vmcs_read_known(&vcpu->vmcs01, VMCS_EXIT_REASON), QUICK_EVERY);
}
