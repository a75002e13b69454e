/* SPDX-License-Identifier: MIT */
/*
 * L1's VMRESUME of a vmcs12 in which nothing has changed but fields that L1 writes without an exit.
 * switch_enter.c says what an entry is; here is what is left of it then. SDM "VM Entries". Each instruction
 * counts: what is not the ordinary case calls at the very end or in a function of its own.
 */

#include "vmx/nested/quick_switch.h"

#include "arch/x86.h"
#include "vmx/insn_info.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/switch_parts.h"

/*
 * Does VMRESUME do what it does in 64-bit mode at CPL 0, without any blocking? The plan's EFER is one of IA-32e mode, which
 * has protection and paging.
 */
static inline bool l1_may_enter(const struct quick_plan *plan, const struct vmcs *vmcs01)
{
	return vmcs_read_known(vmcs01, VMCS_GUEST_IA32_EFER) == plan->l1_efer &&
	       vmcs_read_known(vmcs01, VMCS_GUEST_CS_ACCESS_RIGHTS) == image_get(&plan->host01, VMCS_GUEST_CS_ACCESS_RIGHTS) &&
	       !(vmcs_read_known(vmcs01, VMCS_GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DPL) &&
	       !vmcs_read_known(vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

/* What L1 has left in the shadow VMCS, which is current, or in `soft`. */
static inline __attribute__((always_inline)) u64 shadow_value(const struct nested_slot *slot, vmcs_field field, bool soft)
{
	return soft ? image_get(&slot->soft, field) : vmcs_read_known(&slot->shadow, field);
}

/* Has something changed that a merge has to look at? */
static inline bool is_beyond_us(const struct nested_slot *slot, bool soft)
{
	const struct quick_plan *plan = &slot->quick;
	const vmcs_field *end = plan->watch + plan->watch_count;

	for (const vmcs_field *field = plan->watch; field != end; field++)
		if (shadow_value(slot, *field, soft) != image_get(&slot->shadowed, *field))
			return true;
	return false;
}

/* What L1 has written, into vmcs12; for vmcs02: `changed`. The end of that list. */
static inline vmcs_field *pull(struct nested_slot *slot, vmcs_field *changed, bool soft)
{
	const struct quick_plan *plan = &slot->quick;
	const vmcs_field *end = plan->pull + plan->pull_count;

	for (const vmcs_field *field = plan->pull; field != end; field++) {
		u64 value = shadow_value(slot, *field, soft);

		if (value == image_get(&slot->shadowed, *field))
			continue;
		image_set(&slot->shadowed, *field, value);
		vmcs12_set(slot->vmcs12, *field, value);
		*changed++ = *field;
	}
	return changed;
}

static inline void write02(struct nested_slot *slot, vmcs_field field, u64 value)
{
	image_set(&slot->written02, field, value);
	vmcs_write_known(&slot->vmcs02, field, value);
}

/* vmcs02 is current. */
static inline void write_changed(struct nested_slot *slot, const vmcs_field *changed, const vmcs_field *end)
{
	for (; changed != end; changed++) {
		write02(slot, *changed, image_get(&slot->shadowed, *changed));
		count(COUNTER_VMWRITES);
	}
}

/* --- what is not the ordinary case ------------------------------------------------- */

/* Where vmcs12 does not both load and save them, the last exit has said what L2 left. vmcs02 is current. */
static noinline void write_kept(struct nested_slot *slot)
{
	struct quick_plan *plan = &slot->quick;
	const struct vmcs12 *vmcs12 = slot->vmcs12;
	u64 efer = quick_value(plan->efer, plan->l2_efer, vmcs12_get(vmcs12, VMCS_GUEST_IA32_EFER), plan->l1_efer);
	u64 pat = quick_value(plan->pat, plan->l2_pat, vmcs12_get(vmcs12, VMCS_GUEST_IA32_PAT), plan->l1_pat);

	if (efer != plan->l2_efer) {
		write02(slot, VMCS_GUEST_IA32_EFER, efer);
		count(COUNTER_VMWRITES);
	}
	if (pat != plan->l2_pat) {
		write02(slot, VMCS_GUEST_IA32_PAT, pat);
		count(COUNTER_VMWRITES);
	}
	if (plan->reloads_timer) {
		write02(slot, VMCS_PREEMPTION_TIMER_VALUE, vmcs12_get(vmcs12, VMCS_PREEMPTION_TIMER_VALUE));
		count(COUNTER_VMWRITES);
	}
}

/*
 * What that needs of L1, while vmcs01 is current. With L2 not in the mode of the EFER that it gets, what it runs with is not just
 * that value, or the entry fails; and of the mode that L2 left vmcs12 has to know before vmcs02 has another one.
 */
static noinline bool kept_is_plain(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct quick_plan *plan = &slot->quick;
	u64 efer = quick_value(plan->efer, plan->l2_efer, vmcs12_get(slot->vmcs12, VMCS_GUEST_IA32_EFER), plan->l1_efer);

	if (plan->pat == QUICK_FROM_L1)
		plan->l1_pat = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_IA32_PAT);
	return !((efer ^ plan->l2_efer) & EFER_LMA);
}

static noinline bool injection_passes(const struct vcpu *vcpu, const struct nested_slot *slot)
{
	const struct entry_context context = {
		.vmcs12 = slot->vmcs12, .caps = &vcpu->nested->offered, .memory = vcpu->nested->memory,
		.vmcs12_address = l1_gpa(slot->address), .l1_in_long_mode = true,
	};
	struct entry_failure ignored;

	return check_section(&check_entry_section, &context, &ignored);
}

/* The long way looks at all of it, and counts the exit. vmcs02 is current, and has what was pulled. */
static noinline u64 take_the_long_way(struct vcpu *vcpu, struct nested_slot *slot)
{
	slot->quick.enters--;
	count_many(COUNTER_VMREADS, slot->quick.enter_reads - 1u);
	count_many(COUNTER_VMPTRLDS, slot->quick.soft ? 2 : 3);
	slot->dirty = true;
	slot->quick.ready = false;
	if (!slot->quick.soft)
		vmcs_clear(&slot->shadow);
	vmcs_switch(&vcpu->vmcs01);
	return 0;
}

/* Has nobody else had the tag that two VPIDs share since this one? What VMCS shadowing, and a first entry, need is looked at elsewhere. */
static inline bool has_own_vpid(const struct nested *nested, const struct nested_slot *slot)
{
	return !slot->quick.shadows && !slot->quick.unused && vmcs12_get(slot->vmcs12, VMCS_VPID) == nested->shared_vpid;
}

/* Are EPT02 and the bitmaps where they were, and nothing due with them? */
static inline bool tables_are_settled(const struct nested *nested, const struct nested_slot *slot)
{
	const struct ept02 *ept02 = &nested->ept02;

	return ept02->recent_eptp12 == slot->quick.eptp12 && ept02->recent->eptp02 == slot->quick.eptp02 && !ept02->flush_needed &&
	       !(slot->msr02.count | slot->io02.count) &&
	       (likely(!slot->quick.special) || has_own_vpid(nested, slot));
}

/* --- all of it ------------------------------------------------------------------------ */

/* vmcs02 is current, and has what it needs. */
static inline u64 entered(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	nested->clock++;
	nested->resumed = false;
	nested->state = NESTED_IN_L2;
	vcpu->running = &slot->vmcs02;
	return (u64)(uintptr_t)&vcpu->regs;
}

static noinline u64 enter_injecting(struct vcpu *vcpu, struct nested_slot *slot)
{
	return injection_passes(vcpu, slot) ? entered(vcpu, slot) : take_the_long_way(vcpu, slot);
}

/* Nothing has been pulled, and the shadow VMCS is current. */
static noinline u64 leave_shadow(struct vcpu *vcpu, struct nested_slot *slot)
{
	vmcs_clear_shadow(&slot->shadow);
	vmcs_switch(&vcpu->vmcs01);
	return 0;
}

static inline __attribute__((always_inline)) u64 enter(struct vcpu *vcpu, struct nested_slot *slot, bool kept, bool soft)
{
	vmcs_field changed[VMCS_FIELD_COUNT], *end;

	if (!soft)
		vmcs_switch_briefly(&slot->shadow);
	if (unlikely(is_beyond_us(slot, soft)))
		return soft ? 0 : leave_shadow(vcpu, slot);
	end = pull(slot, changed, soft);
	vmcs_switch(&slot->vmcs02);
	write_changed(slot, changed, end);
	slot->quick.enters++;
	if (kept)
		write_kept(slot);
	if (unlikely(vmcs12_get(slot->vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID))
		return enter_injecting(vcpu, slot);
	return entered(vcpu, slot);
}

static noinline u64 enter_apart(struct vcpu *vcpu, struct nested_slot *slot)
{
	bool kept = slot->quick.keeps && !slot->quick.steady;

	if (kept && !kept_is_plain(vcpu, slot))
		return 0;
	return slot->quick.soft ? enter(vcpu, slot, kept, true) : enter(vcpu, slot, true, false);
}

static u64 enter_any(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (unlikely(slot->quick.apart) && (slot->quick.soft || !slot->quick.steady))
		return enter_apart(vcpu, slot);
	return enter(vcpu, slot, false, false);
}

static noinline u64 enter_after_tables(struct vcpu *vcpu, struct nested_slot *slot)
{
	if (!switch_refresh_tables(vcpu, slot) || (slot->quick.shadows && !switch_refresh_shadow(vcpu, slot)))
		return 0;
	if (slot->quick.unused) {
		vcpu->nested->question.vmcs12 = slot->vmcs12;
		quick_plan_begin(&slot->quick, &vcpu->nested->question, vcpu->nested->memory);
	}
	return enter_any(vcpu, slot);
}

/* L2 came to a page that EPT12 did not have. */
static noinline u64 enter_after_violation(struct vcpu *vcpu, struct nested_slot *slot)
{
	ept02_answer(&vcpu->nested->ept02);
	return tables_are_settled(vcpu->nested, slot) ? enter_any(vcpu, slot) : enter_after_tables(vcpu, slot);
}

u64 quick_enter(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;

	if (!slot || !slot->quick.ready || !l1_may_enter(&slot->quick, &vcpu->vmcs01))
		return 0;
	if (unlikely(nested->ept02.faulted_eptp12 == slot->quick.eptp12))
		return enter_after_violation(vcpu, slot);
	if (unlikely(!tables_are_settled(nested, slot)))
		return enter_after_tables(vcpu, slot);
	return enter_any(vcpu, slot);
}
