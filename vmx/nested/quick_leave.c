/* SPDX-License-Identifier: MIT */
/*
 * An exit of L2 that L1 gets, where all that L1 sees at once is in a few fields: those go to the
 * shadow VMCS, L1's host state to vmcs01, and everything else stays in vmcs02 until somebody asks for it
 * (quick_settle.c). switch_leave.c says what an exit is. SDM "VM Exits".
 */

#include "vmx/nested/quick_switch.h"

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/watch.h"

/* --- L2's side ------------------------------------------------------------------ */

/* What the shadow VMCS has and L2 has changed: `changed`. The end of that list. vmcs02 is current. */
static inline vmcs_field *save(struct nested_slot *slot, vmcs_field *changed)
{
	const struct quick_plan *plan = &slot->quick;
	const vmcs_field *end = plan->save + plan->save_count;

	for (const vmcs_field *field = plan->save; field != end; field++) {
		u64 value = vmcs_read_known(&slot->vmcs02, *field);

		if (value == image_get(&slot->shadowed, *field))
			continue;
		image_set(&slot->shadowed, *field, value);
		vmcs12_set(slot->vmcs12, *field, value);
		*changed++ = *field;
	}
	return changed;
}

/* Fields of which L1 sees another value than vmcs02 has. */
static noinline vmcs_field *override(struct nested_slot *slot, vmcs_field *changed, vmcs_field field, u64 value)
{
	vmcs12_set(slot->vmcs12, field, value);
	if (slot->set.open[field.index] == SHADOW_NO)
		return changed;
	image_set(&slot->shadowed, field, value);
	*changed = field;
	return changed + 1;
}

static vmcs_field *override_exit(struct nested_slot *slot, vmcs_field *changed, const struct vm_exit *exit)
{
	slot->override = *exit;
	changed = override(slot, changed, VMCS_EXIT_REASON, exit->reason);
	return override(slot, changed, VMCS_EXIT_QUALIFICATION, exit->qualification);
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields": the valid bit goes. */
static noinline vmcs_field *clear_injection(struct nested_slot *slot, vmcs_field *changed)
{
	u64 information = vmcs12_get(slot->vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & ~INTERRUPTION_VALID;

	return override(slot, changed, VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
}

/* The entry has left the shadow VMCS active: one VMCLEAR, before L1 has it linked again, is enough for both. */
static inline __attribute__((always_inline)) void push(struct nested_slot *slot, const vmcs_field *changed, const vmcs_field *end,
							bool soft)
{
	if (soft) {
		for (; changed != end; changed++)
			image_set(&slot->soft, *changed, image_get(&slot->shadowed, *changed));
		return;
	}
	if (likely(changed != end)) {
		slot->quick.pushes++;
		vmcs_switch_briefly(&slot->shadow);
		do {
			vmcs_write_known(&slot->shadow, *changed, image_get(&slot->shadowed, *changed));
			count(COUNTER_VMWRITES);
		} while (++changed != end);
	}
	vmcs_clear_shadow(&slot->shadow);
}

/* --- L1's side ------------------------------------------------------------------- */

#define LOAD(name) vmcs_write_known(vmcs01, VMCS_##name, image_get(host, VMCS_##name))

/*
 * A null selector makes a segment unusable, and what base and limit such a one has no instruction can tell.
 * SDM "Loading Host Segment and Descriptor-Table Registers".
 */
#define LOAD_UNUSABLE(name)                    \
	do {                                   \
		LOAD(GUEST_##name##_SELECTOR); \
		LOAD(GUEST_##name##_ACCESS_RIGHTS); \
	} while (0)
#define LOAD_USABLE(name)                   \
	do {                                \
		LOAD_UNUSABLE(name);        \
		LOAD(GUEST_##name##_BASE);  \
		LOAD(GUEST_##name##_LIMIT); \
	} while (0)
#define LOAD_SEGMENT(name)                                          \
	do {                                                        \
		if (image_get(host, VMCS_GUEST_##name##_SELECTOR))  \
			LOAD_USABLE(name);                          \
		else                                                \
			LOAD_UNUSABLE(name);                        \
	} while (0)

/* What L1 changes without L0's seeing it: QUICK_LOADS fields, and two for each segment of the three that is not null. */
static inline __attribute__((always_inline)) void load(const struct vmcs *vmcs01, const struct vmcs_image *host, bool none_is_null)
{
	LOAD(GUEST_CR3);
	LOAD(GUEST_CR4);
	LOAD(GUEST_DR7);
	/* In 64-bit mode, where L1 was and is, CS has neither base nor limit, and to leave it is to load CS. */
	LOAD(GUEST_CS_SELECTOR);
	if (none_is_null) {
		LOAD_USABLE(SS);
		LOAD_USABLE(DS);
		LOAD_USABLE(ES);
	} else {
		LOAD_SEGMENT(SS);
		LOAD_SEGMENT(DS);
		LOAD_SEGMENT(ES);
	}
	LOAD_USABLE(FS); /* their bases count in any case */
	LOAD_USABLE(GS);
	LOAD(GUEST_RSP);
	LOAD(GUEST_RIP);
	LOAD(GUEST_RFLAGS);
}

/* What is watched, and what L1 changes only with L0's help. */
static noinline u64 load_watched(struct vcpu *vcpu, struct nested_slot *slot, u64 cr0)
{
	struct nested *nested = vcpu->nested;

	for (u32 i = 0; i < QUICK_WATCHED; i++)
		vmcs_write(&vcpu->vmcs01, quick_watched[i], image_get(&slot->quick.host01, quick_watched[i]));
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW, cr0);
	if (slot->quick.keeps_pat)
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_PAT, slot->quick.l2_pat);
	watch_begin(vcpu);
	nested->known01 = nested->watch.is_on && !slot->quick.keeps_pat ? slot->quick.host_class : 0;
	nested->known_cr0 = cr0;
	return (u64)(uintptr_t)&vcpu->regs;
}

/* What L1 keeps of L2's. vmcs01 is current. */
static noinline void load_kept(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct quick_plan *plan = &slot->quick;
	u64 efer = quick_plan_efer01(plan);

	if (efer != plan->l1_efer)
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_EFER, efer);
	if (plan->flushes_vpid0)
		switch_flush_vpid0(vcpu->nested);
	plan->steady = quick_plan_is_steady(plan, slot->vmcs12);
}

/* --- both ------------------------------------------------------------------------- */

/*
 * Some of what L2 leaves counts later. Is it what it was, and nothing to be done about it by the next entry? The
 * timer's value that L2 leaves nobody sees. vmcs02 is current.
 */
static inline bool keeps_the_same(struct nested_slot *slot)
{
	struct quick_plan *plan = &slot->quick;
	u64 efer = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_IA32_EFER);
	u64 pat = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_IA32_PAT);

	/* Before it is known whether the next entry will look: `steady` may begin with this exit. */
	if (plan->reloads_timer)
		vmcs_write(&slot->vmcs02, VMCS_PREEMPTION_TIMER_VALUE, vmcs12_get(slot->vmcs12, VMCS_PREEMPTION_TIMER_VALUE));
	if (likely(plan->steady && efer == plan->l2_efer && pat == plan->l2_pat))
		return true;
	plan->l2_efer = efer;
	plan->l2_pat = pat;
	return false;
}

/* SDM "Loading Host State". L1's mode, and that nothing was blocked, quick_enter() has seen. */
static inline __attribute__((always_inline)) u64 leave(struct vcpu *vcpu, struct nested_slot *slot, bool kept, const struct vm_exit *exit,
							 bool soft)
{
	struct nested *nested = vcpu->nested;
	vmcs_field changed[VMCS_FIELD_COUNT + 3], *end = save(slot, changed);
	u64 cr0 = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_CR0);
	u64 blocked = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;

	/* L1's event, or one of L0's own: vmcs02 does not have it any more. */
	slot->written02.value[VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION] &= ~INTERRUPTION_VALID;
	if (exit)
		end = override_exit(slot, end, exit);
	if (unlikely(vmcs12_get(slot->vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID))
		end = clear_injection(slot, end);
	push(slot, changed, end, soft);
	cr0 = image_get(&slot->quick.host01, VMCS_GUEST_CR0) | (cr0 & SYNC_CR0_KEPT);
	vmcs_switch(&vcpu->vmcs01);
	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_CR0, cr0);
	load(&vcpu->vmcs01, &slot->quick.host01, slot->quick.none_is_null);
	slot->whereabouts = exit ? WHEREABOUTS_OVERRIDDEN : WHEREABOUTS_DEFERRED;
	slot->quick.leaves++;
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	if (kept)
		load_kept(vcpu, slot);
	if (unlikely(blocked != 0) && slot->quick.keeps_nmi_blocking)
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	if (unlikely(nested->known01 != slot->quick.host_class || cr0 != nested->known_cr0))
		return load_watched(vcpu, slot, cr0);
	return (u64)(uintptr_t)&vcpu->regs;
}

static noinline u64 leave_kept(struct vcpu *vcpu, struct nested_slot *slot)
{
	return leave(vcpu, slot, true, NULL, false);
}

static noinline u64 leave_soft(struct vcpu *vcpu, struct nested_slot *slot, bool kept, const struct vm_exit *exit)
{
	return leave(vcpu, slot, kept, exit, true);
}

u64 quick_leave(struct vcpu *vcpu)
{
	struct nested_slot *slot = vcpu->nested->current;

	if (unlikely(slot->quick.apart)) {
		bool kept = slot->quick.keeps && !keeps_the_same(slot);

		if (slot->quick.soft)
			return leave_soft(vcpu, slot, kept, NULL);
		if (kept)
			return leave_kept(vcpu, slot);
	}
	return leave(vcpu, slot, false, NULL, false);
}

u64 quick_leave_with(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested_slot *slot = vcpu->nested->current;
	bool kept = false;

	if (unlikely(slot->quick.apart)) {
		kept = slot->quick.keeps && !keeps_the_same(slot);
		if (slot->quick.soft)
			return leave_soft(vcpu, slot, kept, exit);
	}
	return leave(vcpu, slot, kept, exit, false);
}
