/* SPDX-License-Identifier: MIT */
/*
 * What quick exits leave out, done when somebody asks; and when exits may be quick at all.
 */

#include "vmx/nested/quick_switch.h"

#include "arch/x86.h"
#include "vmx/nested/merge.h"
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

static void count_slot(struct quick_plan *plan)
{
	count_many((enum counter)(COUNTER_BY_REASON_L1 + EXIT_VMRESUME), plan->enters);
	count_many(COUNTER_VM_ENTRY_EXITS, plan->enters);
	count_many(COUNTER_REFLECTED, plan->leaves);
	count_many(COUNTER_VMREADS, (u64)plan->enters * plan->enter_reads + (u64)plan->leaves * plan->leave_reads);
	count_many(COUNTER_VMWRITES, (u64)plan->leaves * plan->leave_writes);
	count_many(COUNTER_VMPTRLDS, (plan->soft ? 1 : 2) * (u64)plan->enters + plan->leaves + plan->pushes);
	count_many(COUNTER_VMCLEARS, plan->soft ? 0 : plan->leaves);
	plan->enters = plan->leaves = plan->pushes = 0;
}

void quick_count(struct vcpu *vcpu)
{
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		count_slot(&vcpu->nested->slots[i].quick);
}

/* Two VPIDs of L1 have the same tag: vmx/nested/merge.h. */
static bool shares_vpid(const struct vmcs12 *vmcs12)
{
	u64 vpid12 = vmcs12_get(vmcs12, VMCS_VPID);

	return merge_vpid(vmcs12) && (vpid12 == 1 || vpid12 == 0xffff);
}

/*
 * Two VMCSs of one hypervisor's mostly have the same host state. The plans of all slots stay as they were made. One whose
 * exits leave L2's PAT to L1 is alone: what it has for PAT is none that exits load.
 */
static u64 host_class(struct nested *nested, const struct nested_slot *slot)
{
	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		const struct nested_slot *other = &nested->slots[i];

		if (other != slot && other->quick.host_class && !slot->quick.keeps_pat && !other->quick.keeps_pat &&
		    quick_plan_has_same_watched(&slot->quick, &other->quick))
			return other->quick.host_class;
	}
	return ++nested->host_classes;
}

void quick_prepare(struct vcpu *vcpu, struct nested_slot *slot, u64 l1_efer)
{
	struct nested *nested = vcpu->nested;
	const struct shadow_set *set = &slot->set;
	struct quick_plan *plan = &slot->quick;

	count_slot(plan);
	plan->owners[EXIT_EPT_VIOLATION] = vmcs12_has(slot->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT) ? OWNER_EPT12 : OWNER_L0;
	plan->unused = true;
	plan->steady = false;
	plan->ready = nested->exists[VMCS_INDEX_GUEST_IA32_EFER] && nested->exists[VMCS_INDEX_GUEST_IA32_PAT] &&
		      (l1_efer & EFER_LMA) && quick_plan_is_possible(slot->vmcs12);
	if (!plan->ready)
		return;
	quick_plan_make(plan, slot->vmcs12);
	plan->eptp12 = ept02_pointer12(slot->vmcs12);
	plan->eptp02 = image_get(&slot->written02, VMCS_EPT_POINTER);
	plan->host_class = host_class(nested, slot);
	plan->l1_efer = l1_efer;
	plan->soft = !nested->shadowing;
	plan->keeps |= image_get(&plan->host01, VMCS_GUEST_IA32_EFER) != l1_efer; /* exits have it to load */
	plan->apart = plan->keeps || plan->soft;
	plan->shares_vpid = shares_vpid(slot->vmcs12);
	quick_plan_lists(plan, slot->vmcs12, set->reads, set->read_count, set->writes, set->write_count);
}
