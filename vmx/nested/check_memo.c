/* SPDX-License-Identifier: MIT */
/*
 * Remembers that controls and host state passed, so that an entry after an
 * ordinary exit costs a few comparisons instead of a hundred rules. It decides
 * no rule itself: in doubt it says no, and the rules are asked. Pure.
 */
#include "vmx/events.h"
#include "vmx/nested/check_common.h"

/*
 * Every control and host field that the shadow VMCS lets L1 write, as far as a
 * rule looks at it, and the one control that a VM exit changes. Fields of event
 * injection are not among them: they are looked at whenever an event is injected.
 */
static const vmcs_field watched[CHECK_WATCHED] = {
	VMCS_FIELD(PIN_BASED_CONTROLS), VMCS_FIELD(PROCESSOR_BASED_CONTROLS), VMCS_FIELD(TPR_THRESHOLD),
	VMCS_FIELD(ENTRY_CONTROLS),	VMCS_FIELD(HOST_FS_SELECTOR),	      VMCS_FIELD(HOST_GS_SELECTOR),
	VMCS_FIELD(HOST_FS_BASE),	VMCS_FIELD(HOST_GS_BASE),	      VMCS_FIELD(EPT_POINTER),
	VMCS_FIELD(ENTRY_MSR_LOAD_COUNT), VMCS_FIELD(EXIT_MSR_LOAD_COUNT),
};

void check_remember(struct check_memo *memo, const struct entry_context *context)
{
	for (u32 i = 0; i < CHECK_WATCHED; i++)
		memo->watched[i] = get(context, watched[i]);
	memo->l1_in_long_mode = context->l1_in_long_mode;
	memo->valid = true;
}

/*
 * VTPR, in L1's memory, may have changed too, which the TPR threshold is compared
 * with: hardware compares them at every entry, and its refusal is passed on.
 */
bool check_is_remembered(const struct check_memo *memo, const struct entry_context *context)
{
	struct entry_failure ignored;

	if (!memo->valid || memo->l1_in_long_mode != context->l1_in_long_mode)
		return false;
	for (u32 i = 0; i < CHECK_WATCHED; i++)
		if (memo->watched[i] != get(context, watched[i]))
			return false;
	return (get(context, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID) == 0 ||
	       check_section(&check_entry_section, context, &ignored);
}
