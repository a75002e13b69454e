/* SPDX-License-Identifier: MIT */
/*
 * What quick exits leave out, done when somebody asks; and when exits may be quick at all.
 */

#include "vmx/nested/quick_switch.h"

#include "vmx/nested/switch_parts.h"

/* As vmcs02 has recorded it, or as L0 has changed it. */
static struct vm_exit last_exit(const struct nested_slot *slot)
{
	struct vm_exit exit = slot->override;

	if (slot->overridden)
		return exit;
	exit = (struct vm_exit){
		.reason = (u32)vmcs_read(&slot->vmcs02, VMCS_EXIT_REASON),
		.qualification = vmcs_read(&slot->vmcs02, VMCS_EXIT_QUALIFICATION),
		.interruption_information = (u32)vmcs_read(&slot->vmcs02, VMCS_EXIT_INTERRUPTION_INFORMATION),
	};
	return exit;
}

void quick_settle(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct vm_exit exit;

	if (likely(!slot->deferred))
		return;
	slot->deferred = false;
	vmcs_load(&slot->vmcs02);
	exit = last_exit(slot);
	switch_save_guest(vcpu->nested, slot);
	switch_record_exit(vcpu->nested, slot, &exit);
	vmcs_load(vcpu->running);
}

void quick_prepare(struct vcpu *vcpu, struct nested_slot *slot)
{
	const struct nested *nested = vcpu->nested;
	const struct shadow_set *set = &slot->set;
	struct quick_plan *plan = &slot->quick;

	plan->entered = false;
	plan->ready = nested->shadowing && nested->exists[VMCS_INDEX_GUEST_IA32_EFER] && nested->exists[VMCS_INDEX_GUEST_IA32_PAT] &&
		      quick_plan_is_possible(slot->vmcs12);
	if (!plan->ready)
		return;
	quick_plan_make(plan, slot->vmcs12);
	quick_plan_lists(plan, slot->vmcs12, set->reads, set->read_count, set->writes, set->write_count);
}
