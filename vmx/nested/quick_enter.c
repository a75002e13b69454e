/* SPDX-License-Identifier: MIT */
/*
 * L1's VMRESUME of a vmcs12 in which nothing has changed but fields that L1 writes without an exit.
 * switch_enter.c says what an entry is; here is what is left of it then. SDM "VM Entries".
 */

#include "vmx/nested/quick_switch.h"

#include "arch/x86.h"
#include "vmx/insn_info.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/switch_parts.h"

/* What L1 has written: for vmcs02. */
struct changes {
	u16 count;
	vmcs_field field[VMCS_FIELD_COUNT];
	u64 before[VMCS_FIELD_COUNT];
};

/* Does VMRESUME do what it does in 64-bit mode at CPL 0, without any blocking? IA-32e mode has paging, and protection. */
static bool l1_may_enter(struct nested *nested, const struct vmcs *vmcs01)
{
	u64 efer = vmcs_read_known(vmcs01, VMCS_GUEST_IA32_EFER);
	u64 cs = vmcs_read_known(vmcs01, VMCS_GUEST_CS_ACCESS_RIGHTS), ss = vmcs_read_known(vmcs01, VMCS_GUEST_SS_ACCESS_RIGHTS);

	nested->l1_efer = efer;
	nested->l1_cs_access_rights = (u32)cs;
	return (efer & EFER_LMA) && (cs & ACCESS_RIGHTS_L) && !(ss & ACCESS_RIGHTS_DPL) &&
	       !vmcs_read_known(vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

/* False when something has changed that a merge has to look at; then nothing is taken. The shadow VMCS is current. */
static bool pull(struct nested_slot *slot, struct changes *changes)
{
	const struct quick_plan *plan = &slot->quick;

	for (u16 i = 0; i < plan->watch_count; i++)
		if (vmcs_read_known(&slot->shadow, plan->watch[i]) != image_get(&slot->shadowed, plan->watch[i]))
			return false;
	for (u16 i = 0; i < plan->pull_count; i++) {
		vmcs_field field = plan->pull[i];
		u64 value = vmcs_read_known(&slot->shadow, field);

		if (likely(value == image_get(&slot->shadowed, field)))
			continue;
		changes->before[changes->count] = image_get(&slot->shadowed, field);
		changes->field[changes->count++] = field;
		image_set(&slot->shadowed, field, value);
		vmcs12_set(slot->vmcs12, field, value);
	}
	return true;
}

static bool injection_passes(const struct vcpu *vcpu, const struct nested_slot *slot)
{
	const struct entry_context context = {
		.vmcs12 = slot->vmcs12, .caps = &vcpu->nested->offered, .memory = vcpu->nested->memory,
		.vmcs12_address = l1_gpa(slot->address), .l1_in_long_mode = true,
	};
	struct entry_failure ignored;

	return check_section(&check_entry_section, &context, &ignored);
}

/* It finds all that L1 has written still to be pulled. */
static bool take_the_long_way(struct vcpu *vcpu, struct nested_slot *slot, const struct changes *changes)
{
	for (u16 i = 0; i < changes->count; i++) {
		image_set(&slot->shadowed, changes->field[i], changes->before[i]);
		vmcs12_set(slot->vmcs12, changes->field[i], changes->before[i]);
	}
	vmcs_switch(&vcpu->vmcs01);
	return false;
}

static u64 from(u8 source, u64 l2, u64 vmcs12, u64 l1)
{
	return source == QUICK_FROM_L1 ? l1 : source == QUICK_FROM_VMCS12 ? vmcs12 : l2;
}

static void write02(struct nested_slot *slot, vmcs_field field, u64 value)
{
	image_set(&slot->written02, field, value);
	vmcs_write_known(&slot->vmcs02, field, value);
}

/* Where vmcs12 does not both load and save them, the last exit has said what L2 left. */
static void write_sources(struct nested_slot *slot, u64 l1_efer, u64 l1_pat)
{
	const struct quick_plan *plan = &slot->quick;
	u64 efer = from(plan->efer, plan->l2_efer, vmcs12_get(slot->vmcs12, VMCS_GUEST_IA32_EFER), l1_efer);
	u64 pat = from(plan->pat, plan->l2_pat, vmcs12_get(slot->vmcs12, VMCS_GUEST_IA32_PAT), l1_pat);

	if (efer != plan->l2_efer)
		write02(slot, VMCS_GUEST_IA32_EFER, efer);
	if (pat != plan->l2_pat)
		write02(slot, VMCS_GUEST_IA32_PAT, pat);
}

static void write_vmcs02(struct nested *nested, struct nested_slot *slot, const struct changes *changes, u64 l1_pat)
{
	for (u16 i = 0; i < changes->count; i++)
		write02(slot, changes->field[i], vmcs12_get(slot->vmcs12, changes->field[i]));
	if (slot->quick.keeps)
		write_sources(slot, nested->l1_efer, l1_pat);
	if (unlikely(slot->quick.reloads_timer))
		write02(slot, VMCS_PREEMPTION_TIMER_VALUE, vmcs12_get(slot->vmcs12, VMCS_PREEMPTION_TIMER_VALUE));
	count_many(COUNTER_VMWRITES, changes->count);
}

bool quick_enter(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct changes changes;
	u64 l1_pat = 0;

	if (!slot || !slot->quick.ready || slot->dirty || !l1_may_enter(nested, &vcpu->vmcs01))
		return false;
	/* With L2 not in IA-32e mode, what it runs with is not just L1's value. */
	if (slot->quick.efer == QUICK_FROM_L1 && !(slot->quick.l2_efer & EFER_LMA))
		return false;
	if (slot->quick.pat == QUICK_FROM_L1)
		l1_pat = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_IA32_PAT);
	changes.count = 0;
	vmcs_switch(&slot->shadow);
	if (!pull(slot, &changes)) {
		vmcs_clear_shadow(&slot->shadow);
		return take_the_long_way(vcpu, slot, &changes);
	}
	vmcs_clear_shadow(&slot->shadow);
	if (unlikely(vmcs12_get(slot->vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID) && !injection_passes(vcpu, slot))
		return take_the_long_way(vcpu, slot, &changes);
	if (!switch_refresh_tables(vcpu, slot))
		return take_the_long_way(vcpu, slot, &changes);
	vmcs_switch(&slot->vmcs02);
	write_vmcs02(nested, slot, &changes, l1_pat);
	slot->quick.entered = true;
	slot->last_used = ++nested->clock;
	nested->resumed = false;
	nested->state = NESTED_IN_L2;
	vcpu->running = &slot->vmcs02;
	count(COUNTER_VM_ENTRY_EXITS);
	count_many(COUNTER_VMREADS, slot->quick.enter_reads);
	count_many(COUNTER_VMPTRLDS, 2);
	count(COUNTER_VMCLEARS);
	return true;
}

void quick_go_on(struct vcpu *vcpu)
{
	vcpu->nested->resumed = true;
	switch_flush_ept02(vcpu->nested);
}
