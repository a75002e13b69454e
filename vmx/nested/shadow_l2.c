/* SPDX-License-Identifier: MIT */
/*
 * VMCSs that L1 makes shadow VMCSs, for its own L2. Such a vmcs12 never runs, so the
 * shadow VMCS of its slot holds all its fields: L1 works there while it is current, and L2
 * by way of vmcs02's link pointer. Values are copied only where one side lacks
 * them. SDM "VMCS Types: Ordinary and Shadow".
 */

#include "arch/atomic.h"
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
	if (value == vmcs12_get(slot->vmcs12, field))
		return;
	vmcs12_set(slot->vmcs12, field, value);
	row_set_add(&slot->unsaved, field);
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
	if (unlikely(!slot->whole))
		make_whole(vcpu, slot);
	row_set_unite(&slot->newer, &slot->set.written);
}

void shadow_fetch(struct vcpu *vcpu, struct nested_slot *slot)
{
	const struct row_set newer = slot->newer;

	slot->newer = (struct row_set){ { 0 } };
	vmcs_load(&slot->shadow);
	for (u32 i = 0; i < ROW_SET_WORDS; i++)
		for (u64 left = newer.word[i]; left != 0; left &= left - 1)
			read_row(slot, vmcs_fields[64 * i + (u32)__builtin_ctzll(left)].field);
	done_with(vcpu, slot);
}

void shadow_fetch_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	if (!row_set_has(&slot->newer, info->field))
		return;
	vmcs_load(&slot->shadow);
	read_row(slot, info->field);
	done_with(vcpu, slot);
}

void shadow_update_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	row_set_add(&slot->unsaved, info->field);
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

static void refresh_bitmaps(struct nested *nested, const struct vmcs12 *vmcs12)
{
	shadow12_refresh_bitmap(nested->memory, vmcs12_get(vmcs12, VMCS_VMREAD_BITMAP_ADDRESS), &nested->served, &nested->vmread02);
	shadow12_refresh_bitmap(nested->memory, vmcs12_get(vmcs12, VMCS_VMWRITE_BITMAP_ADDRESS), &nested->served, &nested->vmwrite02);
}

struct merge_shadow shadow_arrange_l2(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;
	u64 link = vmcs12_get(slot->vmcs12, VMCS_VMCS_LINK_POINTER);

	slot->linked = link == NO_ADDRESS ? NULL : load_linked(vcpu, link);
	refresh_bitmaps(nested, slot->vmcs12);
	if (slot->linked)
		row_set_unite(&slot->linked->newer, &nested->vmwrite02.open);
	return (struct merge_shadow){
		.link = slot->linked ? slot->linked->shadow.address.value : NO_ADDRESS,
		.vmread_bitmap = phys_of(nested->vmread02.content),
		.vmwrite_bitmap = phys_of(nested->vmwrite02.content),
	};
}

/* What check_link_pointer() asks, of an address that has passed it. */
static bool is_still_linked(const struct nested_slot *slot, const struct nested_slot *linked, u64 link)
{
	return linked && linked->whole && slot_is_shadow(linked) && link != slot->address &&
	       image_get(&slot->written02, VMCS_VMCS_LINK_POINTER) == linked->shadow.address.value &&
	       linked->region && atomic_read32(linked->region) == linked->vmcs12->revision;
}

bool shadow_arrange_again(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *linked = slot->linked;
	u64 link = vmcs12_get(slot->vmcs12, VMCS_VMCS_LINK_POINTER);

	if (!is_still_linked(slot, linked, link))
		return false;
	if (linked->address != link && (linked->address != NO_ADDRESS || linked->remembered != link || !slots_take_back(linked)))
		return false;
	linked->last_used = ++nested->clock;
	refresh_bitmaps(nested, slot->vmcs12);
	row_set_unite(&linked->newer, &nested->vmwrite02.open);
	return true;
}
