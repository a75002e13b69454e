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

struct changes {
	u16 count;
	vmcs_field field[VMCS_FIELD_COUNT + 3];
};

/* --- L2's side ------------------------------------------------------------------ */

static void change(struct nested_slot *slot, struct changes *changes, vmcs_field field, u64 value)
{
	image_set(&slot->shadowed, field, value);
	vmcs12_set(slot->vmcs12, field, value);
	changes->field[changes->count++] = field;
}

/* What the shadow VMCS has, from vmcs02, which is current. */
static inline void save(struct nested_slot *slot, struct changes *changes)
{
	const struct quick_plan *plan = &slot->quick;

	for (u16 i = 0; i < plan->save_count; i++) {
		vmcs_field field = plan->save[i];
		u64 value = vmcs_read_known(&slot->vmcs02, field);

		if (value != image_get(&slot->shadowed, field))
			change(slot, changes, field, value);
	}
}

/* Fields of which L1 sees another value than vmcs02 has. */
static void override(struct nested_slot *slot, struct changes *changes, vmcs_field field, u64 value)
{
	if (slot->set.open[field.index] != SHADOW_NO)
		change(slot, changes, field, value);
	else
		vmcs12_set(slot->vmcs12, field, value);
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields": the valid bit goes. */
static void clear_injection(struct nested_slot *slot, struct changes *changes)
{
	u64 information = vmcs12_get(slot->vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION);

	if (likely(!(information & INTERRUPTION_VALID)))
		return;
	information &= ~INTERRUPTION_VALID;
	image_set(&slot->written02, VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
	override(slot, changes, VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
}

static inline void push(struct nested_slot *slot, const struct changes *changes)
{
	if (!changes->count)
		return;
	vmcs_switch(&slot->shadow);
	for (u16 i = 0; i < changes->count; i++)
		vmcs_write_known(&slot->shadow, changes->field[i], image_get(&slot->shadowed, changes->field[i]));
	vmcs_clear_shadow(&slot->shadow);
	count_many(COUNTER_VMWRITES, changes->count);
	count(COUNTER_VMPTRLDS);
	count(COUNTER_VMCLEARS);
}

/* --- L1's side ------------------------------------------------------------------- */

#define LOAD(name) vmcs_write_known(vmcs01, VMCS_##name, image_get(host, VMCS_##name))

/*
 * A null selector makes a segment unusable, and what base and limit such a one has no instruction can tell.
 * SDM "Loading Host Segment and Descriptor-Table Registers".
 */
#define LOAD_SEGMENT(name)                                            \
	do {                                                          \
		LOAD(GUEST_##name##_SELECTOR);                        \
		LOAD(GUEST_##name##_ACCESS_RIGHTS);                   \
		if (image_get(host, VMCS_GUEST_##name##_SELECTOR)) {  \
			LOAD(GUEST_##name##_BASE);                    \
			LOAD(GUEST_##name##_LIMIT);                   \
		}                                                     \
	} while (0)

/* What L1 changes without L0's seeing it: QUICK_LOADS fields, and two for each segment of the three that is not null. */
static inline void load(const struct vmcs *vmcs01, const struct vmcs_image *host)
{
	LOAD(GUEST_CR3);
	LOAD(GUEST_CR4);
	LOAD(GUEST_DR7);
	/* In 64-bit mode, where L1 was and is, CS has neither base nor limit, and to leave it is to load CS. */
	LOAD(GUEST_CS_SELECTOR);
	LOAD_SEGMENT(SS);
	LOAD_SEGMENT(DS);
	LOAD_SEGMENT(ES);
	LOAD(GUEST_FS_SELECTOR);
	LOAD(GUEST_FS_ACCESS_RIGHTS);
	LOAD(GUEST_FS_BASE);
	LOAD(GUEST_FS_LIMIT);
	LOAD(GUEST_GS_SELECTOR);
	LOAD(GUEST_GS_ACCESS_RIGHTS);
	LOAD(GUEST_GS_BASE);
	LOAD(GUEST_GS_LIMIT);
	LOAD(GUEST_RSP);
	LOAD(GUEST_RIP);
	LOAD(GUEST_RFLAGS);
}

/* What is watched, and what L1 changes only with L0's help. */
static void load_watched(struct vcpu *vcpu, struct nested_slot *slot, u64 cr0)
{
	static const vmcs_field fields[] = {
		VMCS_FIELD(CR4_READ_SHADOW), VMCS_FIELD(GUEST_IA32_PAT), VMCS_FIELD(GUEST_IA32_DEBUGCTL),
		VMCS_FIELD(GUEST_IA32_SYSENTER_CS), VMCS_FIELD(GUEST_IA32_SYSENTER_ESP), VMCS_FIELD(GUEST_IA32_SYSENTER_EIP),
		VMCS_FIELD(GUEST_LDTR_SELECTOR), VMCS_FIELD(GUEST_LDTR_ACCESS_RIGHTS),
		VMCS_FIELD(GUEST_TR_SELECTOR), VMCS_FIELD(GUEST_TR_BASE), VMCS_FIELD(GUEST_TR_LIMIT), VMCS_FIELD(GUEST_TR_ACCESS_RIGHTS),
		VMCS_FIELD(GUEST_GDTR_BASE), VMCS_FIELD(GUEST_GDTR_LIMIT), VMCS_FIELD(GUEST_IDTR_BASE), VMCS_FIELD(GUEST_IDTR_LIMIT),
	};
	struct nested *nested = vcpu->nested;

	for (u32 i = 0; i < array_size(fields); i++)
		vmcs_write(&vcpu->vmcs01, fields[i], image_get(&slot->quick.host01, fields[i]));
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW, cr0);
	watch_begin(vcpu);
	nested->known01 = nested->watch.is_on ? slot : NULL;
	nested->known_cr0 = cr0;
}

/* What L1 keeps of L2's. vmcs01 is current. */
static void load_kept(struct vcpu *vcpu, const struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;
	const struct quick_plan *plan = &slot->quick;
	u64 efer = plan->keeps_efer ? plan->l2_efer | EFER_LMA | EFER_LME : image_get(&plan->host01, VMCS_GUEST_IA32_EFER);

	if (efer != nested->l1_efer)
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_EFER, efer);
	if (plan->keeps_pat) {
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_PAT, plan->l2_pat);
		nested->known01 = NULL;
	}
	if (plan->keeps_nmi_blocking && (plan->l2_interruptibility & INTERRUPTIBILITY_NMI))
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	if (plan->flushes_vpid0)
		switch_flush_vpid0(nested);
}

/* SDM "Loading Host State". L1's mode, and that nothing was blocked, quick_enter() has seen. */
static inline void load_l1(struct vcpu *vcpu, struct nested_slot *slot, u64 l2_cr0)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_image *host = &slot->quick.host01;
	u64 cr0 = image_get(host, VMCS_GUEST_CR0) | (l2_cr0 & SYNC_CR0_KEPT);

	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_CR0, cr0);
	load(&vcpu->vmcs01, host);
	if (unlikely(nested->l1_cs_access_rights != image_get(host, VMCS_GUEST_CS_ACCESS_RIGHTS)))
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CS_ACCESS_RIGHTS, image_get(host, VMCS_GUEST_CS_ACCESS_RIGHTS));
	if (unlikely(nested->known01 != slot || cr0 != nested->known_cr0))
		load_watched(vcpu, slot, cr0);
	if (slot->quick.keeps)
		load_kept(vcpu, slot);
}

/* --- both ------------------------------------------------------------------------- */

/* Some of what L2 leaves counts later. vmcs02 is current. */
static void note_l2(struct nested_slot *slot)
{
	slot->quick.l2_efer = vmcs_read(&slot->vmcs02, VMCS_GUEST_IA32_EFER);
	slot->quick.l2_pat = vmcs_read(&slot->vmcs02, VMCS_GUEST_IA32_PAT);
	slot->quick.l2_interruptibility = vmcs_read(&slot->vmcs02, VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

static inline void leave(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct changes changes;
	u64 cr0;

	changes.count = 0;
	save(slot, &changes);
	slot->overridden = exit != NULL;
	if (exit) {
		slot->override = *exit;
		override(slot, &changes, VMCS_EXIT_REASON, exit->reason);
		override(slot, &changes, VMCS_EXIT_QUALIFICATION, exit->qualification);
	}
	clear_injection(slot, &changes);
	cr0 = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_CR0);
	if (slot->quick.keeps)
		note_l2(slot);
	push(slot, &changes);
	vmcs_switch(&vcpu->vmcs01);
	load_l1(vcpu, slot, cr0);
	slot->deferred = slot->rare_in_02 = true;
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	count(COUNTER_REFLECTED);
	count(COUNTER_VMPTRLDS);
	count_many(COUNTER_VMREADS, slot->quick.leave_reads);
	count_many(COUNTER_VMWRITES, slot->quick.leave_writes);
}

void quick_leave(struct vcpu *vcpu)
{
	leave(vcpu, NULL);
}

void quick_leave_with(struct vcpu *vcpu, const struct vm_exit *exit)
{
	leave(vcpu, exit);
}
