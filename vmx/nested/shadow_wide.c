/* SPDX-License-Identifier: MIT */
/*
 * Guest state that L1 keeps writing: a hypervisor beneath another one writes most of its own
 * guest's state at each of its exits, and each of those VMWRITEs would exit. A slot of which L0 sees that
 * gets all guest state into its shadow VMCS, which costs some hundred instructions at each entry
 * and exit of its L2; others do not pay for it.
 */

#include "vmx/nested/nested.h"

/* So many exits are looked at together, and so many must have come for each entry or change of VMCS. */
#define WINDOW 256
#define EXITS_FOR_EACH 4

/* Guest state is checked by the processor, or else all of it by check_guest. What exits save of PDPTEs depends on a control. */
bool shadow_wide_has(const struct vmcs_field_info *info)
{
	u16 row = info->field.index;
	bool pdpte = row >= VMCS_INDEX_GUEST_PDPTE0 && row <= VMCS_INDEX_GUEST_PDPTE3;

	return info->class == CLASS_GUEST && info->shadow != SHADOW_RW && !pdpte;
}

/* The slot is current, and so linked. */
static void widen(struct vcpu *vcpu, struct nested_slot *slot)
{
	slot->wide = true;
	shadow_link(vcpu, slot);
}

void shadow_wide_learn(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	struct nested *nested = vcpu->nested;
	u64 events;

	if (!nested->shadowing || slot->wide || slot_is_shadow(slot) || !shadow_wide_has(info))
		return;
	if (++slot->wide_exits < WINDOW)
		return;
	events = nested->clock - slot->wide_since;
	slot->wide_exits = 0;
	slot->wide_since = nested->clock;
	if (events * EXITS_FOR_EACH <= WINDOW)
		widen(vcpu, slot);
}

/* vmcs12 must have all that goes into the shadow VMCS; as long as L1 changes nothing, vmcs02 still has the same. */
void shadow_wide_before_push(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (!slot->rare_in_02)
		return;
	slots_fetch_rare(vcpu, slot);
	slot->mirrored = true;
}

/* Reads what L1 may have written. The shadow VMCS is current. */
static bool read_rows(const struct nested *nested, struct nested_slot *slot)
{
	u64 *shadowed = slot->shadowed.value;
	bool changed = false;

	for (u16 i = 0; i < nested->shadow_wide_count; i++) {
		u16 row = nested->shadow_wide[i];
		u64 value = vmcs_read(&slot->shadow, vmcs_fields[row].field);

		changed |= value != shadowed[row];
		shadowed[row] = value;
	}
	return changed;
}

/*
 * Where L1 has changed nothing, guest state is vmcs02's again, and the processor's to check. Else vmcs12 has
 * it all, what L1 has written and the rest, and the next entry merges everything.
 */
void shadow_wide_pull(struct vcpu *vcpu, struct nested_slot *slot)
{
	const struct nested *nested = vcpu->nested;
	bool changed;

	vmcs_load(&slot->shadow);
	changed = read_rows(nested, slot);
	vmcs_clear(&slot->shadow);
	vmcs_load(&vcpu->vmcs01);
	if (!changed) {
		slot->rare_in_02 |= slot->mirrored && !slot->dirty;
		return;
	}
	slots_fetch_rare(vcpu, slot);
	slot->mirrored = false;
	slot->dirty = true;
	for (u16 i = 0; i < nested->shadow_wide_count; i++) {
		u16 row = nested->shadow_wide[i];

		slot->vmcs12->fields.value[row] = slot->shadowed.value[row];
	}
}
