/* SPDX-License-Identifier: MIT */
/*
 * VMCSs that L1 makes shadow VMCSs, for its own L2. Such a vmcs12 never runs, so the
 * shadow VMCS of its slot holds all its fields: L1 works there while it is current, and L2
 * by way of vmcs02's link pointer. Values are copied only where one side lacks
 * them. SDM "VMCS Types: Ordinary and Shadow".
 */

#include "mm/phys.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/shadow12.h"

/* vmcs01 must be current again afterwards, or vmcs02, whatever runs. */
static void done_with(struct vcpu *vcpu, struct nested_slot *slot)
{
	vmcs_clear(&slot->shadow);
	vmcs_load(vcpu->running);
}

static void write_row(struct nested_slot *slot, vmcs_field field)
{
	u64 value = vmcs12_get(slot->vmcs12, field);

	image_set(&slot->shadowed, field, value);
	vmcs_write(&slot->shadow, field, value);
}

static void read_row(struct nested_slot *slot, vmcs_field field)
{
	u64 value = vmcs_read(&slot->shadow, field);

	image_set(&slot->shadowed, field, value);
	vmcs12_set(slot->vmcs12, field, value);
}

/* Only for a vmcs12 that has come from L1's memory: nothing is newer than it. */
static void make_whole(struct vcpu *vcpu, struct nested_slot *slot)
{
	u16 rows[VMCS_FIELD_COUNT], count = field_set_rows(&vcpu->nested->served, rows);

	slot->whole = true;
	vmcs_load(&slot->shadow);
	for (u16 i = 0; i < count; i++) {
		vmcs_field field = vmcs_fields[rows[i]].field;

		if (image_get(&slot->shadowed, field) != vmcs12_get(slot->vmcs12, field))
			write_row(slot, field);
	}
	done_with(vcpu, slot);
}

void shadow_open(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (!slot->whole)
		make_whole(vcpu, slot);
	for (u16 i = 0; i < slot->set.write_count; i++)
		field_set_add(&slot->newer, slot->set.writes[i]);
}

void shadow_fetch(struct vcpu *vcpu, struct nested_slot *slot)
{
	u16 rows[VMCS_FIELD_COUNT], count = field_set_rows(&slot->newer, rows);

	if (!count)
		return;
	slot->newer = (struct field_set){ { 0 } };
	vmcs_load(&slot->shadow);
	for (u16 i = 0; i < count; i++)
		read_row(slot, vmcs_fields[rows[i]].field);
	done_with(vcpu, slot);
}

void shadow_fetch_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	if (!field_set_has(&slot->newer, info->field))
		return;
	vmcs_load(&slot->shadow);
	read_row(slot, info->field);
	done_with(vcpu, slot);
}

void shadow_update_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	if (!field_set_has(&vcpu->nested->served, info->field))
		return;
	vmcs_load(&slot->shadow);
	write_row(slot, info->field);
	done_with(vcpu, slot);
}

/* L1 must not change a VMCS's type while it is active; where it did, its memory decides. */
static struct nested_slot *load_linked(struct vcpu *vcpu, u64 address)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = slots_load(vcpu, address);

	if (!slot_is_shadow(slot)) {
		slots_release(vcpu, slot);
		slot = slots_load(vcpu, address);
	}
	if (!slot_is_shadow(slot)) /* changed again since the link pointer was checked */
		return NULL;
	slot->last_used = ++nested->clock;
	if (!slot->whole)
		make_whole(vcpu, slot);
	return slot;
}

struct merge_shadow shadow_arrange_l2(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	struct nested *nested = vcpu->nested;
	u64 link = vmcs12_get(vmcs12, VMCS_VMCS_LINK_POINTER);
	struct nested_slot *slot = link == NO_ADDRESS ? NULL : load_linked(vcpu, link);
	struct field_set readable = { { 0 } }, writable = { { 0 } };

	shadow12_merge_bitmap(nested->memory, vmcs12_get(vmcs12, VMCS_VMREAD_BITMAP_ADDRESS), &nested->served,
			      nested->vmread_bitmap02, &readable);
	shadow12_merge_bitmap(nested->memory, vmcs12_get(vmcs12, VMCS_VMWRITE_BITMAP_ADDRESS), &nested->served,
			      nested->vmwrite_bitmap02, &writable);
	if (slot)
		field_set_unite(&slot->newer, &writable);
	return (struct merge_shadow){
		.link = slot ? slot->shadow.address.value : NO_ADDRESS,
		.vmread_bitmap = phys_of(nested->vmread_bitmap02),
		.vmwrite_bitmap = phys_of(nested->vmwrite_bitmap02),
	};
}
