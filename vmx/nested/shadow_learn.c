/* SPDX-License-Identifier: MIT */
/*
 * Which fields a shadow VMCS has. Each of them costs some instructions at every entry and exit of
 * L2, and each that it lacks costs an exit whenever L1 uses it: so L1's own use decides. A
 * field for which L1 exits again and again between its entries is opened, for reading or for both;
 * the set is the slot's, and begins anew with another VMCS.
 */

#include "arch/string.h"
#include "vmx/nested/nested.h"

/* So many of L1's entries and changes of VMCS may lie between two exits for a field. */
#define OFTEN 32

/*
 * Guest state may be open whatever the table says: a hypervisor beneath another one writes most
 * of it at each exit of its guest. The processor checks it, or else check_guest all of it. What exits save
 * of PDPTEs depends on a control. And so may be what KVM writes whenever it changes between its own VMCS and one of
 * its guest's guest, mostly what was there before: a merge looks at them (merge_is_hot, or all of it), and check_memo.c.
 */
u8 shadow_learn_limit(const struct vmcs_field_info *info)
{
	switch (info->field.index) {
	case VMCS_INDEX_GUEST_PDPTE0:
	case VMCS_INDEX_GUEST_PDPTE1:
	case VMCS_INDEX_GUEST_PDPTE2:
	case VMCS_INDEX_GUEST_PDPTE3:
		return info->shadow;
	case VMCS_INDEX_TSC_OFFSET:
	case VMCS_INDEX_EPT_POINTER:
	case VMCS_INDEX_ENTRY_MSR_LOAD_COUNT:
	case VMCS_INDEX_EXIT_MSR_LOAD_COUNT:
		return SHADOW_RW;
	default:
		return info->class == CLASS_GUEST ? SHADOW_RW : info->shadow;
	}
}

static bool is_often(struct shadow_set *set, u16 row, u64 clock)
{
	u64 since = clock - set->asked[row];

	set->asked[row] = clock;
	return since > 0 && since <= OFTEN;
}

/* Of a VMCS that L1 has made a shadow VMCS all fields can be read; what L1 writes there has to be fetched whenever vmcs12 is wanted. */
static void learn_shadow(const struct nested *nested, struct nested_slot *slot, const struct vmcs_field_info *info, bool write)
{
	struct shadow_set *set = &slot->set;

	if (!write || !field_set_has(&nested->open_in_shadow, info->field) || !is_often(set, info->field.index, nested->clock))
		return;
	set->open[info->field.index] = SHADOW_RW;
	set->writes[set->write_count++] = info->field;
	row_set_add(&set->written, info->field);
	row_set_add(&slot->newer, info->field);
	shadow_open_write(slot, info->field);
}

void shadow_learn(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info, bool write)
{
	struct nested *nested = vcpu->nested;
	struct shadow_set *set = &slot->set;
	u16 row = info->field.index;
	u8 wanted = write ? SHADOW_RW : SHADOW_RO;

	if (set->open[row] >= wanted)
		return;
	if (slot_is_shadow(slot)) {
		learn_shadow(nested, slot, info, write);
		return;
	}
	if (nested->may_open[row] < wanted)
		return;
	/* One that has not run yet is being set up. */
	if (slot->vmcs12->launch_state != LAUNCH_STATE_LAUNCHED || !is_often(set, row, nested->clock))
		return;
	if (set->open[row] == SHADOW_NO)
		set->reads[set->read_count++] = info->field;
	if (write)
		set->writes[set->write_count++] = info->field;
	set->open[row] = wanted;
	slot->quick.ready = false; /* it goes by the set */
	shadow_open_field(vcpu, slot, info->field, write);
}

void shadow_learn_anew(const struct nested *nested, struct nested_slot *slot)
{
	struct shadow_set *set = &slot->set;

	if (set->read_count || set->write_count) {
		if (nested->shadowing) {
			memset(set->vmread_bitmap, 0xff, PAGE_SIZE);
			memset(set->vmwrite_bitmap, 0xff, PAGE_SIZE);
		}
		memset(set->open, 0, sizeof(set->open));
	}
	/* The clock is at least 1: nothing has been asked for lately. */
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		set->asked[i] = nested->clock - OFTEN - 1;
	set->read_count = set->write_count = 0;
	set->written = (struct row_set){ { 0 } };
}
