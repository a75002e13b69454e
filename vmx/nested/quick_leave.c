/* SPDX-License-Identifier: MIT */
/*
 * An exit of L2 that L1 gets, where all that L1 sees at once is in a few fields: those go to the
 * shadow VMCS, L1's host state to vmcs01, and everything else stays in vmcs02 until somebody asks for it
 * (quick_settle.c). switch_leave.c says what an exit is. SDM "VM Exits".
 */

#include "vmx/nested/quick_switch.h"

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/switch_parts.h"

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
static void save(struct nested_slot *slot, struct changes *changes)
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

static void push(struct nested_slot *slot, const struct changes *changes)
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
 * A null selector makes a segment unusable, and what base and limit such a one has no instruction can tell,
 * but for the bases of FS and GS. SDM "Loading Host Segment and Descriptor-Table Registers".
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

static void load_segments(const struct vmcs *vmcs01, const struct vmcs_image *host, u32 cs_access_rights)
{
	/* In 64-bit mode, where L1 was and is, CS has neither base nor limit, and to leave it is to load CS. */
	LOAD(GUEST_CS_SELECTOR);
	if (cs_access_rights != image_get(host, VMCS_GUEST_CS_ACCESS_RIGHTS))
		LOAD(GUEST_CS_ACCESS_RIGHTS);
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
	LOAD(GUEST_LDTR_SELECTOR);
	LOAD(GUEST_LDTR_ACCESS_RIGHTS);
	LOAD(GUEST_TR_SELECTOR);
	LOAD(GUEST_TR_BASE);
	LOAD(GUEST_TR_LIMIT);
	LOAD(GUEST_TR_ACCESS_RIGHTS);
	LOAD(GUEST_GDTR_BASE);
	LOAD(GUEST_GDTR_LIMIT);
	LOAD(GUEST_IDTR_BASE);
	LOAD(GUEST_IDTR_LIMIT);
}

/* What L1 changes only with L0's help. */
static void load_shadows(struct nested *nested, const struct vmcs *vmcs01, const struct nested_slot *slot, u64 cr0)
{
	const struct vmcs_image *host = &slot->quick.host01;

	nested->known01 = slot;
	nested->known_cr0 = cr0;
	vmcs_write(vmcs01, VMCS_CR0_READ_SHADOW, cr0);
	vmcs_write(vmcs01, VMCS_CR4_READ_SHADOW, image_get(host, VMCS_CR4_READ_SHADOW));
}

/* SDM "Loading Host State". L1's mode, and that nothing was blocked, quick_enter() has seen. */
static void load_l1(struct vcpu *vcpu, struct nested_slot *slot, u64 l2_cr0, u64 l2_interruptibility)
{
	struct nested *nested = vcpu->nested;
	const struct quick_plan *plan = &slot->quick;
	const struct vmcs_image *host = &plan->host01;
	const struct vmcs *vmcs01 = &vcpu->vmcs01;
	u64 cr0 = image_get(host, VMCS_GUEST_CR0) | (l2_cr0 & SYNC_CR0_KEPT);
	u64 efer = plan->keeps_efer ? plan->l2_efer | EFER_LMA | EFER_LME : image_get(host, VMCS_GUEST_IA32_EFER);

	vmcs_write_known(vmcs01, VMCS_GUEST_CR0, cr0);
	LOAD(GUEST_CR3);
	LOAD(GUEST_CR4);
	LOAD(GUEST_DR7);
	LOAD(GUEST_IA32_DEBUGCTL);
	LOAD(GUEST_IA32_SYSENTER_CS);
	LOAD(GUEST_IA32_SYSENTER_ESP);
	LOAD(GUEST_IA32_SYSENTER_EIP);
	vmcs_write_known(vmcs01, VMCS_GUEST_IA32_PAT, plan->keeps_pat ? plan->l2_pat : image_get(host, VMCS_GUEST_IA32_PAT));
	load_segments(vmcs01, host, nested->l1_cs_access_rights);
	LOAD(GUEST_RSP);
	LOAD(GUEST_RIP);
	LOAD(GUEST_RFLAGS);
	if (unlikely(efer != nested->l1_efer))
		vmcs_write(vmcs01, VMCS_GUEST_IA32_EFER, efer);
	if (unlikely(nested->known01 != slot || cr0 != nested->known_cr0))
		load_shadows(nested, vmcs01, slot, cr0);
	if (unlikely(l2_interruptibility & INTERRUPTIBILITY_NMI) && plan->keeps_nmi_blocking)
		vmcs_write(vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	if (unlikely(plan->flushes_vpid0))
		switch_flush_vpid0(nested);
}

/* --- both ------------------------------------------------------------------------- */

bool quick_leave(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct quick_plan *plan = &slot->quick;
	struct changes changes;
	u64 cr0, interruptibility;

	if (!plan->entered)
		return false;
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
	interruptibility = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_INTERRUPTIBILITY_STATE);
	plan->l2_efer = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_IA32_EFER);
	plan->l2_pat = vmcs_read_known(&slot->vmcs02, VMCS_GUEST_IA32_PAT);
	push(slot, &changes);
	vmcs_switch(&vcpu->vmcs01);
	load_l1(vcpu, slot, cr0, interruptibility);
	slot->deferred = true;
	slot->rare_in_02 = true;
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	count(COUNTER_REFLECTED);
	count_many(COUNTER_VMREADS, 4 + (u64)plan->save_count);
	count_many(COUNTER_VMWRITES, plan->host_writes);
	count(COUNTER_VMPTRLDS);
	return true;
}
