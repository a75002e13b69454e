/* SPDX-License-Identifier: MIT */
/*
 * Hardware VMCS shadowing: L1's VMREAD and VMWRITE of the fields that the table
 * marks go to a shadow VMCS without an exit. SDM "VMCS Types: Ordinary and Shadow". The shadow
 * VMCS is written while it is current and VMCLEARed before it is linked.
 */

#include "arch/bits.h"
#include "arch/string.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/nested/nested.h"

/* Bits 14:0 of an encoding number its bit. SDM "VMCS Shadowing Bitmap Addresses". */
static void open_field(u8 *bitmap, u32 encoding)
{
	bitmap[encoding / 8] &= (u8)~(1u << (encoding % 8));
	if (vmcs_encoding_width(encoding) == WIDTH_64) /* the high half is a field of its own */
		bitmap[encoding / 8] &= (u8)~(1u << (encoding % 8 + 1));
}

static void open_wide(struct nested *nested, const struct vmcs_field_info *info)
{
	if (!shadow_wide_has(info))
		return;
	open_field(nested->wide_vmread_bitmap, info->field.encoding);
	open_field(nested->wide_vmwrite_bitmap, info->field.encoding);
	nested->shadow_wide[nested->shadow_wide_count++] = info->field.index;
}

static void choose_fields(struct nested *nested)
{
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];

		if (!insn_field(&nested->offered, info->field.encoding) || !vmcs_field_exists(info, nested->hardware))
			continue;
		open_wide(nested, info);
		if (info->shadow == SHADOW_NO)
			continue;
		open_field(nested->wide_vmread_bitmap, info->field.encoding);
		open_field(nested->vmread_bitmap, info->field.encoding);
		field_set_add(&nested->open_in_shadow, info->field);
		if (info->shadow == SHADOW_RW) {
			open_field(nested->vmwrite_bitmap, info->field.encoding);
			open_field(nested->wide_vmwrite_bitmap, info->field.encoding);
			nested->shadow_rw[nested->shadow_rw_count++] = i;
		} else {
			nested->shadow_ro[nested->shadow_ro_count++] = i;
		}
	}
}

/* vmcs01 is current. */
static void use_bitmaps(struct vcpu *vcpu, const u8 *vmread, const u8 *vmwrite)
{
	struct nested *nested = vcpu->nested;

	if (nested->vmread_bitmap01.value != phys_of(vmread).value) {
		nested->vmread_bitmap01 = phys_of(vmread);
		vmcs_write(&vcpu->vmcs01, VMCS_VMREAD_BITMAP_ADDRESS, nested->vmread_bitmap01.value);
	}
	if (nested->vmwrite_bitmap01.value != phys_of(vmwrite).value) {
		nested->vmwrite_bitmap01 = phys_of(vmwrite);
		vmcs_write(&vcpu->vmcs01, VMCS_VMWRITE_BITMAP_ADDRESS, nested->vmwrite_bitmap01.value);
	}
}

/* What every shadow VMCS holds is known from the start. */
static void clear_shadows(struct nested *nested)
{
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (insn_field(&nested->offered, vmcs_fields[i].field.encoding) && nested->exists[i])
			field_set_add(&nested->served, vmcs_fields[i].field);
	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		struct nested_slot *slot = &nested->slots[i];
		u16 rows[VMCS_FIELD_COUNT], count = field_set_rows(&nested->served, rows);

		vmcs_load(&slot->shadow);
		for (u16 row = 0; row < count; row++)
			vmcs_write(&slot->shadow, vmcs_fields[rows[row]].field, 0);
		vmcs_clear(&slot->shadow);
	}
}

static bool take_bitmaps(struct nested *nested)
{
	void *pages[6];

	for (u32 i = 0; i < array_size(pages); i++) {
		pages[i] = page_alloc();
		if (!pages[i])
			return false;
		memset(pages[i], 0xff, PAGE_SIZE);
	}
	nested->vmread_bitmap = pages[0];
	nested->vmwrite_bitmap = pages[1];
	nested->vmread_bitmap02 = pages[2];
	nested->vmwrite_bitmap02 = pages[3];
	nested->wide_vmread_bitmap = pages[4];
	nested->wide_vmwrite_bitmap = pages[5];
	return true;
}

static void set_control(struct vcpu *vcpu, bool on, u64 link)
{
	struct nested *nested = vcpu->nested;
	u64 proc2 = image_get(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS);

	proc2 = on ? proc2 | PROC2_VMCS_SHADOWING : proc2 & ~(u64)PROC2_VMCS_SHADOWING;
	image_set(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_load(&vcpu->vmcs01);
	vmcs_write(&vcpu->vmcs01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_write(&vcpu->vmcs01, VMCS_VMCS_LINK_POINTER, link);
}

bool shadow_init(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	/* Exit information can be put there only by VMWRITE to read-only fields. */
	nested->shadowing = caps_allow(nested->hardware, WORD_PROC2, PROC2_VMCS_SHADOWING) &&
			    (nested->hardware->misc & VMX_MISC_VMWRITE_ANY_FIELD);
	if (!nested->shadowing) {
		/* L0's controls have it on nevertheless, and hardware would look for bitmaps at address 0. */
		if (caps_allow(nested->hardware, WORD_PROC2, PROC2_VMCS_SHADOWING))
			set_control(vcpu, false, NO_ADDRESS);
		return true;
	}
	if (!take_bitmaps(nested))
		return false;
	choose_fields(nested);
	clear_shadows(nested);
	vmcs_load(&vcpu->vmcs01);
	use_bitmaps(vcpu, nested->vmread_bitmap, nested->vmwrite_bitmap);
	shadow_unlink(vcpu);
	return true;
}

/* Nothing ever runs from a VMCS that L1 has made a shadow VMCS: L1 may write there whatever it may read. */
void shadow_link(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	if (!nested->shadowing)
		return;
	if (slot_is_shadow(slot))
		shadow_open(vcpu, slot);
	else
		shadow_push(vcpu, slot);
	set_control(vcpu, true, slot->shadow.address.value);
	if (slot_is_shadow(slot))
		use_bitmaps(vcpu, nested->vmread_bitmap, nested->vmread_bitmap);
	else if (slot->wide)
		use_bitmaps(vcpu, nested->wide_vmread_bitmap, nested->wide_vmwrite_bitmap);
	else
		use_bitmaps(vcpu, nested->vmread_bitmap, nested->vmwrite_bitmap);
}

/* Without the control every VMREAD and VMWRITE exits, and gets its #UD or VMfailInvalid from L0. */
void shadow_unlink(struct vcpu *vcpu)
{
	if (vcpu->nested->shadowing)
		set_control(vcpu, false, NO_ADDRESS);
}

/* Writes what differs from what the shadow VMCS is known to hold. */
static void push_rows(struct nested_slot *slot, const u16 *rows, u16 count)
{
	const u64 *value = slot->vmcs12->fields.value;
	u64 *shadowed = slot->shadowed.value;

	for (u16 i = 0; i < count; i++) {
		u16 row = rows[i];

		if (shadowed[row] == value[row])
			continue;
		shadowed[row] = value[row];
		vmcs_write(&slot->shadow, vmcs_fields[row].field, value[row]);
	}
}

void shadow_push(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	if (!nested->shadowing)
		return;
	if (unlikely(slot->wide))
		shadow_wide_before_push(vcpu, slot);
	vmcs_load(&slot->shadow);
	push_rows(slot, nested->shadow_ro, nested->shadow_ro_count);
	push_rows(slot, nested->shadow_rw, nested->shadow_rw_count);
	if (unlikely(slot->wide))
		push_rows(slot, nested->shadow_wide, nested->shadow_wide_count);
	vmcs_clear(&slot->shadow);
	vmcs_load(&vcpu->vmcs01);
}

void shadow_push_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	if (slot_is_shadow(slot)) {
		shadow_update_field(vcpu, slot, info);
		return;
	}
	if (!vcpu->nested->shadowing || info->shadow == SHADOW_NO)
		return;
	vmcs_load(&slot->shadow);
	push_rows(slot, &info->field.index, 1);
	vmcs_clear(&slot->shadow);
	vmcs_load(&vcpu->vmcs01);
}

/*
 * "Activate secondary controls" takes EPT and VPIDs with it. What vmcs02 still holds
 * was saved under the old setting, and more of it depends on the new one than
 * merge_again looks at.
 */
static void note_secondary_controls(struct vcpu *vcpu, struct nested_slot *slot)
{
	u64 changed = image_get(&slot->shadowed, VMCS_PROCESSOR_BASED_CONTROLS) ^
		      vmcs12_get(slot->vmcs12, VMCS_PROCESSOR_BASED_CONTROLS);

	if (!(changed & PROC_ACTIVATE_SECONDARY_CONTROLS))
		return;
	slots_fetch_rare(vcpu, slot);
	slot->dirty = true;
}

void shadow_pull(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	if (!nested->shadowing)
		return;
	vmcs_load(&slot->shadow);
	for (u16 i = 0; i < nested->shadow_rw_count; i++) {
		u16 row = nested->shadow_rw[i];

		slot->shadowed.value[row] = vmcs_read(&slot->shadow, vmcs_fields[row].field);
	}
	vmcs_clear(&slot->shadow);
	vmcs_load(&vcpu->vmcs01);
	note_secondary_controls(vcpu, slot);
	for (u16 i = 0; i < nested->shadow_rw_count; i++) {
		u16 row = nested->shadow_rw[i];

		slot->vmcs12->fields.value[row] = slot->shadowed.value[row];
	}
	if (unlikely(slot->wide))
		shadow_wide_pull(vcpu, slot);
}
