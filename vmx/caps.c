/* SPDX-License-Identifier: MIT */
/*
 * Decodes the VMX capability MSRs and derives L0's own controls from
 * controls.def. It reads MSRs only through the function it is given, and
 * fills only the VMX part of struct vmx_caps. Pure.
 */
#include "arch/bits.h"
#include "arch/x86.h"
#include "vmx/caps.h"

static struct allowed allowed_from(u64 msr)
{
	return (struct allowed){ .must_be_1 = (u32)msr, .may_be_1 = (u32)(msr >> 32) };
}

u32 caps_msr_list_limit(const struct vmx_caps *caps)
{
	return 512 * ((u32)field_get(caps->misc, VMX_MISC_MSR_LIST_SIZE) + 1);
}

static void decode_controls(struct vmx_caps *caps, caps_rdmsr *rdmsr, void *context)
{
	static const u32 plain[CONTROL_WORD_COUNT] = {
		[WORD_PIN] = IA32_VMX_PINBASED_CTLS, [WORD_PROC] = IA32_VMX_PROCBASED_CTLS,
		[WORD_EXIT] = IA32_VMX_EXIT_CTLS, [WORD_ENTRY] = IA32_VMX_ENTRY_CTLS,
	};
	static const u32 exact[CONTROL_WORD_COUNT] = {
		[WORD_PIN] = IA32_VMX_TRUE_PINBASED_CTLS, [WORD_PROC] = IA32_VMX_TRUE_PROCBASED_CTLS,
		[WORD_EXIT] = IA32_VMX_TRUE_EXIT_CTLS, [WORD_ENTRY] = IA32_VMX_TRUE_ENTRY_CTLS,
	};
	const u32 *from = (caps->basic & VMX_BASIC_TRUE_CONTROLS) != 0 ? exact : plain;

	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		caps->control[word] = from[word] != 0 ? allowed_from(rdmsr(context, from[word])) : (struct allowed){ 0, 0 };
	if (caps_allow(caps, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS))
		caps->control[WORD_PROC2] = allowed_from(rdmsr(context, IA32_VMX_PROCBASED_CTLS2));
}

void caps_decode(struct vmx_caps *caps, caps_rdmsr *rdmsr, void *context)
{
	caps->basic = rdmsr(context, IA32_VMX_BASIC);
	caps->misc = rdmsr(context, IA32_VMX_MISC);
	caps->cr0_fixed0 = rdmsr(context, IA32_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = rdmsr(context, IA32_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = rdmsr(context, IA32_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = rdmsr(context, IA32_VMX_CR4_FIXED1);
	caps->vmcs_enum = rdmsr(context, IA32_VMX_VMCS_ENUM);
	decode_controls(caps, rdmsr, context);

	/* The next two exist only with a control that needs them; elsewhere RDMSR faults. */
	caps->ept_vpid = caps->vmfunc = 0;
	if (caps_allow(caps, WORD_PROC2, PROC2_ENABLE_EPT) || caps_allow(caps, WORD_PROC2, PROC2_ENABLE_VPID))
		caps->ept_vpid = rdmsr(context, IA32_VMX_EPT_VPID_CAP);
	if (caps_allow(caps, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS))
		caps->vmfunc = rdmsr(context, IA32_VMX_VMFUNC);
}

const struct control_info *caps_missing_for_l0(const struct vmx_caps *hardware)
{
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].need == NEED_MUST && !caps_allow(hardware, controls[i].word, UINT32_C(1) << controls[i].bit))
			return &controls[i];
	return NULL;
}

u32 caps_l0_controls(const struct vmx_caps *hardware, enum control_word word)
{
	const struct allowed *allowed = &hardware->control[word];
	u32 value = allowed->must_be_1;

	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].word == word && controls[i].need != NEED_NO)
			value |= UINT32_C(1) << controls[i].bit;
	return value & (allowed->may_be_1 | allowed->must_be_1);
}
