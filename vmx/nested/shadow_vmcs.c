/* SPDX-License-Identifier: MIT */
/*
 * Hardware VMCS shadowing: L1's VMREAD and VMWRITE of the fields that the table
 * marks go to a shadow VMCS without an exit. SDM "VMCS Types: Ordinary and Shadow". The shadow
 * VMCS is read and written while it is current, and VMCLEARed before L1 is entered with it linked.
 */

#include "arch/bits.h"
#include "arch/string.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/sync.h"

/* Bits 14:0 of an encoding number its bit. SDM "VMCS Shadowing Bitmap Addresses". */
static void open_field(u8 *bitmap, u32 encoding)
{
	bitmap[encoding / 8] &= (u8)~(1u << (encoding % 8));
	if (vmcs_encoding_width(encoding) == WIDTH_64) /* the high half is a field of its own */
		bitmap[encoding / 8] &= (u8)~(1u << (encoding % 8 + 1));
}

static void choose_fields(struct nested *nested)
{
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];

		if (!insn_field(&nested->offered, info->field.encoding) || !vmcs_field_exists(info, nested->hardware))
			continue;
		nested->may_open[i] = shadow_learn_limit(info);
		if (info->shadow == SHADOW_NO || !nested->shadowing)
			continue;
		open_field(nested->open_bitmap, info->field.encoding);
		field_set_add(&nested->open_in_shadow, info->field);
	}
}

/* What L1 uses of these will be in `soft`. */
static void keep_back(struct nested *nested)
{
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (nested->may_open[i] != SHADOW_NO) {
			nested->kept_back[false][i + 1] |= KEPT_SOFT;
			nested->kept_back[true][i + 1] |= KEPT_SOFT;
		}
}

/* vmcs01 is current. */
static inline void use_bitmaps(struct vcpu *vcpu, hpa_t read, hpa_t write)
{
	struct nested *nested = vcpu->nested;

	if (nested->vmread_bitmap01.value != read.value) {
		nested->vmread_bitmap01 = read;
		vmcs_write(&vcpu->vmcs01, VMCS_VMREAD_BITMAP_ADDRESS, read.value);
	}
	if (nested->vmwrite_bitmap01.value != write.value) {
		nested->vmwrite_bitmap01 = write;
		vmcs_write(&vcpu->vmcs01, VMCS_VMWRITE_BITMAP_ADDRESS, write.value);
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

static u8 *take_bitmap(void)
{
	void *page = page_alloc();

	return page ? memset(page, 0xff, PAGE_SIZE) : NULL;
}

static bool take_bitmap02(struct shadow12_bitmap *bitmap)
{
	bitmap->content = (u64 *)(void *)take_bitmap();
	memset(&bitmap->closed12, 0xff, sizeof(bitmap->closed12));
	return bitmap->content != NULL;
}

static bool take_bitmaps(struct nested *nested)
{
	nested->open_bitmap = take_bitmap();
	if (!nested->open_bitmap || !take_bitmap02(&nested->vmread02) || !take_bitmap02(&nested->vmwrite02))
		return false;
	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		struct shadow_set *set = &nested->slots[i].set;

		set->vmread_bitmap = take_bitmap();
		set->vmwrite_bitmap = take_bitmap();
		if (!set->vmread_bitmap || !set->vmwrite_bitmap)
			return false;
		set->vmread_at = phys_of(set->vmread_bitmap);
		set->vmwrite_at = phys_of(set->vmwrite_bitmap);
	}
	return true;
}

/* vmcs01 is current. */
static void set_control(struct vcpu *vcpu, bool on)
{
	struct nested *nested = vcpu->nested;
	u64 old = image_get(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS);
	u64 proc2 = on ? old | PROC2_VMCS_SHADOWING : old & ~(u64)PROC2_VMCS_SHADOWING;

	if (proc2 == old)
		return;
	image_set(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_write(&vcpu->vmcs01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
}

bool shadow_init(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	/* Exit information can be put there only by VMWRITE to read-only fields. */
	nested->shadowing = caps_allow(nested->hardware, WORD_PROC2, PROC2_VMCS_SHADOWING) &&
			    (nested->hardware->misc & VMX_MISC_VMWRITE_ANY_FIELD);
	if (!nested->shadowing) {
		/* L0's controls have it on nevertheless, and hardware would look for bitmaps at address 0. */
		vmcs_load(&vcpu->vmcs01);
		set_control(vcpu, false);
		vmcs_write(&vcpu->vmcs01, VMCS_VMCS_LINK_POINTER, NO_ADDRESS);
		choose_fields(nested);
		keep_back(nested);
		return true;
	}
	if (!take_bitmaps(nested))
		return false;
	choose_fields(nested);
	clear_shadows(nested);
	vmcs_load(&vcpu->vmcs01);
	nested->open_bitmap_at = phys_of(nested->open_bitmap);
	use_bitmaps(vcpu, nested->open_bitmap_at, nested->open_bitmap_at);
	shadow_disable(vcpu);
	return true;
}

/* The shadow VMCS of one that L1 has made a shadow VMCS has all fields: to read there needs no learning. */
void shadow_link(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;
	bool is_shadow = slot_is_shadow(slot);

	if (is_shadow)
		shadow_open(vcpu, slot);
	else if (unlikely(!slot->whole))
		shadow_push(vcpu, slot);
	slot->whole = true;
	if (unlikely(!nested->shadowing))
		return;
	if (unlikely(!(image_get(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING)))
		set_control(vcpu, true);
	vmcs_write(&vcpu->vmcs01, VMCS_VMCS_LINK_POINTER, slot->shadow.address.value);
	use_bitmaps(vcpu, is_shadow ? nested->open_bitmap_at : slot->set.vmread_at, slot->set.vmwrite_at);
}

/* Without a link hardware itself fails a VMREAD as it should: VMfailInvalid. What the bitmaps leave to L0 exits. SDM "VMREAD". */
void shadow_unlink(struct vcpu *vcpu)
{
	if (vcpu->nested->shadowing)
		vmcs_write(&vcpu->vmcs01, VMCS_VMCS_LINK_POINTER, NO_ADDRESS);
}

/* Outside VMX operation every VMREAD and VMWRITE exits, and gets its #UD from L0. */
void shadow_disable(struct vcpu *vcpu)
{
	if (!vcpu->nested->shadowing)
		return;
	set_control(vcpu, false);
	shadow_unlink(vcpu);
}

/* Before and after work on the shadow VMCS: it is current meanwhile, unless it is `soft`. */
static inline void begin(const struct nested *nested, const struct nested_slot *slot)
{
	if (likely(nested->shadowing))
		vmcs_load(&slot->shadow);
}

static inline void end(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (unlikely(!vcpu->nested->shadowing))
		return;
	vmcs_clear(&slot->shadow);
	vmcs_load(vcpu->running);
}

/* Writes what differs from what the shadow VMCS is known to hold. */
static void push_rows(const struct nested *nested, struct nested_slot *slot, const vmcs_field *fields, u16 count)
{
	for (u16 i = 0; i < count; i++) {
		u64 value = vmcs12_get(slot->vmcs12, fields[i]);

		if (image_get(&slot->shadowed, fields[i]) == value)
			continue;
		image_set(&slot->shadowed, fields[i], value);
		if (likely(nested->shadowing))
			vmcs_write(&slot->shadow, fields[i], value);
		else
			image_set(&slot->soft, fields[i], value);
	}
}

void shadow_push(struct vcpu *vcpu, struct nested_slot *slot)
{
	/* A quick entry has left it active. */
	if (!slot->set.read_count && !slot->quick.entered)
		return;
	begin(vcpu->nested, slot);
	push_rows(vcpu->nested, slot, slot->set.reads, slot->set.read_count);
	end(vcpu, slot);
}

void shadow_push_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info)
{
	if (slot_is_shadow(slot)) {
		shadow_update_field(vcpu, slot, info);
		return;
	}
	if (slot->set.open[info->field.index] == SHADOW_NO)
		return;
	begin(vcpu->nested, slot);
	push_rows(vcpu->nested, slot, &info->field, 1);
	end(vcpu, slot);
}

void shadow_open_write(struct nested_slot *slot, vmcs_field field)
{
	open_field(slot->set.vmwrite_bitmap, field.encoding);
}

void shadow_open_field(struct vcpu *vcpu, struct nested_slot *slot, vmcs_field field, bool write)
{
	if (likely(vcpu->nested->shadowing)) {
		open_field(slot->set.vmread_bitmap, field.encoding);
		if (write)
			open_field(slot->set.vmwrite_bitmap, field.encoding);
	}
	begin(vcpu->nested, slot);
	push_rows(vcpu->nested, slot, &field, 1);
	end(vcpu, slot);
}

/* Guest fields that vmcs02 holds and L1 reads from the shadow VMCS. vmcs02 is current. */
void shadow_save_open(const struct nested *nested, struct nested_slot *slot)
{
	for (u16 i = 0; i < slot->set.read_count; i++) {
		vmcs_field field = slot->set.reads[i];

		if (!nested->is_rare[field.index])
			continue;
		image_set(&slot->written02, field, vmcs_read(&slot->vmcs02, field));
		sync_rare(slot->vmcs12, &slot->written02, field);
	}
}

/*
 * "Activate secondary controls" takes EPT and VPIDs with it. What vmcs02 still holds
 * was saved under the old setting, and more of it depends on the new one than
 * merge_again looks at.
 */
static void note_secondary_controls(struct vcpu *vcpu, struct nested_slot *slot, u64 value)
{
	if (!((value ^ vmcs12_get(slot->vmcs12, VMCS_PROCESSOR_BASED_CONTROLS)) & PROC_ACTIVATE_SECONDARY_CONTROLS))
		return;
	slots_fetch_rare(vcpu, slot);
	slot->dirty = true;
}

/* What L1 has written of the guest state that vmcs02 holds: then all of it comes home, and the next entry merges everything. */
static void note_rare(struct vcpu *vcpu, struct nested_slot *slot, const u64 *values)
{
	const struct nested *nested = vcpu->nested;

	for (u16 i = 0; i < slot->set.write_count; i++) {
		vmcs_field field = slot->set.writes[i];

		if (nested->is_hot[field.index] || values[i] == image_get(&slot->shadowed, field))
			continue;
		slots_fetch_rare(vcpu, slot);
		slot->dirty = true;
		return;
	}
}

void shadow_pull(struct vcpu *vcpu, struct nested_slot *slot)
{
	u64 values[VMCS_FIELD_COUNT];

	if (!slot->set.write_count)
		return;
	quick_settle(vcpu, slot);
	begin(vcpu->nested, slot);
	for (u16 i = 0; i < slot->set.write_count; i++)
		values[i] = likely(vcpu->nested->shadowing) ? vmcs_read(&slot->shadow, slot->set.writes[i]) :
							     image_get(&slot->soft, slot->set.writes[i]);
	end(vcpu, slot);
	note_rare(vcpu, slot, values);
	for (u16 i = 0; i < slot->set.write_count; i++) {
		vmcs_field field = slot->set.writes[i];

		if (field.index == VMCS_INDEX_PROCESSOR_BASED_CONTROLS)
			note_secondary_controls(vcpu, slot, values[i]);
		/* A quick entry goes by what differs here, and would find no difference any more. */
		if (values[i] != image_get(&slot->shadowed, field))
			slot->quick.ready = false;
		image_set(&slot->shadowed, field, values[i]);
		vmcs12_set(slot->vmcs12, field, values[i]);
	}
}
