/* SPDX-License-Identifier: MIT */
/*
 * The vmcs12s that L0 keeps between L1's VMPTRLD and VMCLEAR. In between, L1's
 * region in memory is stale, as with a processor that caches its VMCSs: SDM
 * "Managing VMCS Regions and Pointers".
 */

#include "arch/string.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/sync.h"

/* The revision stays as L1 wrote it: it is no data of the VMCS. */
#define VMCS12_STORED_FROM (offsetof(struct vmcs12, abort_indicator))
#define VMCS12_STORED_BYTES (offsetof(struct vmcs12, unused))

struct nested_slot *slots_find(struct nested *nested, u64 address)
{
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		if (nested->slots[i].address == address)
			return &nested->slots[i];
	return NULL;
}

void slots_fetch_rare(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	quick_settle(vcpu, slot);
	if (!slot->rare_in_02)
		return;
	slot->rare_in_02 = false;
	vmcs_load(&slot->vmcs02);
	for (u16 i = 0; i < nested->rare_count; i++) {
		vmcs_field field = vmcs_fields[nested->rare_rows[i]].field;

		image_set(&slot->written02, field, vmcs_read(&slot->vmcs02, field));
		sync_rare(slot->vmcs12, &slot->written02, field);
	}
	vmcs_load(vcpu->running);
}

static void write_region(const struct nested *nested, const struct nested_slot *slot)
{
	l1_write(nested->memory, l1_gpa(slot->address + VMCS12_STORED_FROM), &slot->vmcs12->abort_indicator,
		 VMCS12_STORED_BYTES - VMCS12_STORED_FROM);
}

/* The same where L1's region has most of it already. */
static void write_unsaved(struct nested_slot *slot)
{
	struct vmcs12 *region = (struct vmcs12 *)(void *)slot->region;

	region->abort_indicator = slot->vmcs12->abort_indicator;
	region->launch_state = slot->vmcs12->launch_state;
	for (u32 i = 0; i < ROW_SET_WORDS; i++)
		for (u64 left = slot->unsaved.word[i]; left != 0; left &= left - 1) {
			u32 row = 64 * i + (u32)__builtin_ctzll(left);

			region->fields.value[row] = slot->vmcs12->fields.value[row];
		}
}

/* A shadow VMCS of L1's: what is newer in hardware's. */
static void bring_home_shadow(struct vcpu *vcpu, struct nested_slot *slot)
{
	shadow_fetch(vcpu, slot);
	if (likely(slot->in_memory))
		write_unsaved(slot);
	else
		write_region(vcpu->nested, slot);
	slot->in_memory = slot->region != NULL;
	slot->unsaved = (struct row_set){ { 0 } };
}

static void bring_home(struct vcpu *vcpu, struct nested_slot *slot)
{
	quick_settle(vcpu, slot);
	if (slot->whole)
		shadow_pull(vcpu, slot);
	slots_fetch_rare(vcpu, slot);
	write_region(vcpu->nested, slot);
}

/*
 * All that is newer elsewhere comes home. The slot keeps its content, and vmcs02 and the shadow VMCS what they were
 * given: if L1's region is the same when it comes back, all of it is good.
 */
void slots_release(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (slot == vcpu->nested->current)
		slots_set_current(vcpu, NULL);
	if (slot_is_shadow(slot))
		bring_home_shadow(vcpu, slot);
	else
		bring_home(vcpu, slot);
	slot->remembered = slot->address;
	slot->address = NO_ADDRESS;
	slot->quick.ready = false;
}

void slots_release_all(struct vcpu *vcpu)
{
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		if (vcpu->nested->slots[i].address != NO_ADDRESS)
			slots_release(vcpu, &vcpu->nested->slots[i]);
	shadow_disable(vcpu);
}

/* The one that held it last, or the least recently used: of those that are free, if any is. */
static struct nested_slot *choose_slot(struct nested *nested, u64 address)
{
	struct nested_slot *oldest = NULL;

	for (u32 i = 0; i < NESTED_SLOTS; i++)
		if (nested->slots[i].address == NO_ADDRESS && nested->slots[i].remembered == address)
			return &nested->slots[i];

	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		struct nested_slot *slot = &nested->slots[i];
		bool is_free = slot->address == NO_ADDRESS, oldest_is_free = oldest && oldest->address == NO_ADDRESS;

		if (slot == nested->current) /* its quick entries do not count as uses */
			continue;
		if (!oldest || is_free > oldest_is_free || (is_free == oldest_is_free && slot->last_used < oldest->last_used))
			oldest = slot;
	}
	return oldest;
}

/*
 * A VMCS that was cleared and has not changed since: what the slot, vmcs02 and the shadow VMCS still have is good if L1's
 * region says the same. L1 may have edited it in its memory, or made another VMCS there. Only the header is taken anew.
 */
bool slots_take_back(struct nested_slot *slot)
{
	const struct vmcs12 *region = (const struct vmcs12 *)(const void *)slot->region;

	if (!region || vmcs12_is_shadow(region) != slot_is_shadow(slot) ||
	    memcmp(&region->fields, &slot->vmcs12->fields, sizeof(region->fields)) != 0)
		return false;
	slot->vmcs12->abort_indicator = region->abort_indicator;
	slot->vmcs12->launch_state = region->launch_state;
	vmcs12_sanitize_header(slot->vmcs12);
	slot->address = slot->remembered;
	return true;
}

static void read_region(const struct nested *nested, struct nested_slot *slot, u64 address)
{
	l1_read(nested->memory, l1_gpa(address), slot->vmcs12, VMCS12_STORED_BYTES);
	vmcs12_sanitize(slot->vmcs12);
	slot->vmcs12->revision = VMCS12_REVISION | (slot->vmcs12->revision & VMCS12_SHADOW_INDICATOR);
	if (!caps_allow(&nested->offered, WORD_PROC2, PROC2_VMCS_SHADOWING))
		slot->vmcs12->revision = VMCS12_REVISION;
	slot->whole = slot->in_memory = false;
	slot->unsaved = (struct row_set){ { 0 } };
	slot->deferred = false;
	slot->quick.ready = false;
	shadow_learn_anew(nested, slot);
	slot->rare_in_02 = false;
	slot->written_valid = false;
	check_forget(&slot->memo);
}

struct nested_slot *slots_load(struct vcpu *vcpu, u64 address)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = slots_find(nested, address);

	if (slot)
		return slot;
	slot = choose_slot(nested, address);
	if (slot->address != NO_ADDRESS)
		slots_release(vcpu, slot);
	if (slot->remembered == address && slots_take_back(slot))
		return slot;
	slot->region = (u32 *)(void *)l1_reach(nested->memory, l1_gpa(address));
	read_region(nested, slot, address);
	slot->address = address;
	return slot;
}

void slots_clear_in_memory(struct nested *nested, u64 address)
{
	const u32 state = LAUNCH_STATE_CLEAR;

	l1_write(nested->memory, l1_gpa(address + offsetof(struct vmcs12, launch_state)), &state, sizeof(state));
}

/* What L1 has written into the shadow VMCS of the one before stays there until somebody asks. */
void slots_set_current(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	if (slot == nested->current)
		return;
	nested->current = slot;
	if (slot) {
		slot->last_used = ++nested->clock;
		shadow_link(vcpu, slot);
	} else {
		shadow_unlink(vcpu);
	}
	nested->state = slot ? NESTED_ROOT_CURRENT : NESTED_ROOT;
}
