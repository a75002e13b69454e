/* SPDX-License-Identifier: MIT */
/*
 * image02 -> vmcs12, and vmcs12's host state -> image01. SDM "Saving Guest
 * State", "Loading Host State".
 */

#include "vmx/nested/sync.h"

#include "arch/x86.h"
#include "vmx/events.h"

/* Saved at each exit; those below the line only where vmcs12 asks for it (save_conditional). */
const vmcs_field sync_hot_fields[] = {
	VMCS_FIELD(GUEST_RIP), VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_RFLAGS),
	VMCS_FIELD(GUEST_CR0), VMCS_FIELD(GUEST_CR3), VMCS_FIELD(GUEST_CR4),
	VMCS_FIELD(GUEST_CS_ACCESS_RIGHTS), VMCS_FIELD(GUEST_SS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_INTERRUPTIBILITY_STATE), VMCS_FIELD(GUEST_ACTIVITY_STATE),
	VMCS_FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS),

	VMCS_FIELD(GUEST_IA32_EFER), VMCS_FIELD(GUEST_IA32_PAT), VMCS_FIELD(GUEST_DR7),
	VMCS_FIELD(GUEST_IA32_DEBUGCTL), VMCS_FIELD(GUEST_INTERRUPT_STATUS), VMCS_FIELD(PREEMPTION_TIMER_VALUE),
};
const u32 sync_hot_count = array_size(sync_hot_fields);

#define ALWAYS_SAVED 11

/* Guest fields that no VM exit writes. */
static bool is_never_saved(vmcs_field field)
{
	return field.index == VMCS_INDEX_GUEST_SMBASE || field.index == VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL;
}

bool sync_is_rare(const struct vmcs_field_info *info)
{
	if (info->class != CLASS_GUEST || is_never_saved(info->field))
		return false;
	for (u32 i = 0; i < sync_hot_count; i++)
		if (sync_hot_fields[i].index == info->field.index)
			return false;
	return true;
}

static void copy(struct vmcs12 *vmcs12, const struct vmcs_image *image02, vmcs_field field)
{
	vmcs12_set(vmcs12, field, image_get(image02, field));
}

/* SDM "Saving Control Registers, Debug Registers, and MSRs", "Saving Non-Register State". */
static void save_conditional(struct vmcs12 *vmcs12, const struct vmcs_image *image02)
{
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT);

	if (exit & EXIT_SAVE_IA32_EFER)
		copy(vmcs12, image02, VMCS_GUEST_IA32_EFER);
	if (exit & EXIT_SAVE_IA32_PAT)
		copy(vmcs12, image02, VMCS_GUEST_IA32_PAT);
	if (exit & EXIT_SAVE_DEBUG_CONTROLS) {
		copy(vmcs12, image02, VMCS_GUEST_DR7);
		copy(vmcs12, image02, VMCS_GUEST_IA32_DEBUGCTL);
	}
	/* It counts down. Bochs saves for a timer that started at 0 what is left of the one before it, such as L0's heartbeat. */
	if ((exit & EXIT_SAVE_PREEMPTION_TIMER) &&
	    image_get(image02, VMCS_PREEMPTION_TIMER_VALUE) < vmcs12_get(vmcs12, VMCS_PREEMPTION_TIMER_VALUE))
		copy(vmcs12, image02, VMCS_PREEMPTION_TIMER_VALUE);
	if (vmcs12_has(vmcs12, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY))
		copy(vmcs12, image02, VMCS_GUEST_INTERRUPT_STATUS);
}

/* "IA-32e mode guest" takes the value of IA32_EFER.LMA where the processor stores it there. */
static void save_ia32e_mode(struct vmcs12 *vmcs12, const struct vmcs_image *image02)
{
	u64 entry = vmcs12_get(vmcs12, VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST;

	if (image_get(image02, VMCS_GUEST_IA32_EFER) & EFER_LMA)
		entry |= ENTRY_IA32E_MODE_GUEST;
	vmcs12_set(vmcs12, VMCS_ENTRY_CONTROLS, entry);
}

void sync_guest(struct vmcs12 *vmcs12, const struct vmcs_image *image02)
{
	for (u32 i = 0; i < ALWAYS_SAVED; i++)
		copy(vmcs12, image02, sync_hot_fields[i]);
	save_conditional(vmcs12, image02);
	if (vmcs12_has(vmcs12, WORD_PROC2, PROC2_UNRESTRICTED_GUEST))
		save_ia32e_mode(vmcs12, image02);
}

/* PDPTEs are saved only under EPT: SDM "Saving Control Registers, Debug Registers, and MSRs". */
void sync_rare(struct vmcs12 *vmcs12, const struct vmcs_image *image02, vmcs_field field)
{
	bool pdpte = field.index >= VMCS_INDEX_GUEST_PDPTE0 && field.index <= VMCS_INDEX_GUEST_PDPTE3;

	if (!pdpte || vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT))
		copy(vmcs12, image02, field);
}

/* --- L1's host state -------------------------------------------------------- */

const vmcs_field sync_host_fields[] = {
	VMCS_FIELD(GUEST_CR0), VMCS_FIELD(CR0_READ_SHADOW), VMCS_FIELD(GUEST_CR3), VMCS_FIELD(GUEST_CR4),
	VMCS_FIELD(CR4_READ_SHADOW), VMCS_FIELD(GUEST_DR7), VMCS_FIELD(GUEST_IA32_DEBUGCTL),
	VMCS_FIELD(GUEST_IA32_SYSENTER_CS), VMCS_FIELD(GUEST_IA32_SYSENTER_ESP), VMCS_FIELD(GUEST_IA32_SYSENTER_EIP),
	VMCS_FIELD(GUEST_IA32_EFER), VMCS_FIELD(GUEST_IA32_PAT), VMCS_FIELD(ENTRY_CONTROLS),
	VMCS_FIELD(GUEST_ES_SELECTOR), VMCS_FIELD(GUEST_ES_BASE), VMCS_FIELD(GUEST_ES_LIMIT), VMCS_FIELD(GUEST_ES_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_CS_SELECTOR), VMCS_FIELD(GUEST_CS_BASE), VMCS_FIELD(GUEST_CS_LIMIT), VMCS_FIELD(GUEST_CS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_SS_SELECTOR), VMCS_FIELD(GUEST_SS_BASE), VMCS_FIELD(GUEST_SS_LIMIT), VMCS_FIELD(GUEST_SS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_DS_SELECTOR), VMCS_FIELD(GUEST_DS_BASE), VMCS_FIELD(GUEST_DS_LIMIT), VMCS_FIELD(GUEST_DS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_FS_SELECTOR), VMCS_FIELD(GUEST_FS_BASE), VMCS_FIELD(GUEST_FS_LIMIT), VMCS_FIELD(GUEST_FS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_GS_SELECTOR), VMCS_FIELD(GUEST_GS_BASE), VMCS_FIELD(GUEST_GS_LIMIT), VMCS_FIELD(GUEST_GS_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_LDTR_SELECTOR), VMCS_FIELD(GUEST_LDTR_BASE), VMCS_FIELD(GUEST_LDTR_LIMIT), VMCS_FIELD(GUEST_LDTR_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_TR_SELECTOR), VMCS_FIELD(GUEST_TR_BASE), VMCS_FIELD(GUEST_TR_LIMIT), VMCS_FIELD(GUEST_TR_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_GDTR_BASE), VMCS_FIELD(GUEST_GDTR_LIMIT), VMCS_FIELD(GUEST_IDTR_BASE), VMCS_FIELD(GUEST_IDTR_LIMIT),
	VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_RIP), VMCS_FIELD(GUEST_RFLAGS), VMCS_FIELD(GUEST_INTERRUPTIBILITY_STATE),
	VMCS_FIELD(GUEST_ACTIVITY_STATE), VMCS_FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS),
};
const u32 sync_host_count = array_size(sync_host_fields);

/* SDM "Loading Host Segment and Descriptor-Table Registers". */
#define AR_CODE_64 0xa09b		/* type 11, S, P, L, G */
#define AR_CODE_32 0xc09b		/* type 11, S, P, D, G */
#define AR_DATA 0xc093			/* type 3, S, P, B, G */
#define AR_BUSY_TSS 0x8b		/* type 11, P */
#define AR_UNUSABLE BIT(16)

static void load_segment(struct vmcs_image *image01, u32 number, u64 selector, u64 base, u64 limit, u64 access_rights)
{
	/* ES, CS, SS, DS, FS, GS, LDTR, TR: consecutive rows in each group of the table. */
	image01->value[VMCS_INDEX_GUEST_ES_SELECTOR + number] = selector;
	image01->value[VMCS_INDEX_GUEST_ES_BASE + number] = base;
	image01->value[VMCS_INDEX_GUEST_ES_LIMIT + number] = limit;
	image01->value[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + number] = access_rights;
}

static void load_segments(struct vmcs_image *image01, const struct vmcs12 *vmcs12, bool long_mode)
{
	enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
	const u64 flat = 0xffffffff;

	load_segment(image01, CS, vmcs12_get(vmcs12, VMCS_HOST_CS_SELECTOR), 0, flat, long_mode ? AR_CODE_64 : AR_CODE_32);
	for (u32 number = ES; number <= GS; number++) {
		/* The host area has ES, CS, SS, DS, FS, GS in the same order. */
		u64 selector = vmcs12->fields.value[VMCS_INDEX_HOST_ES_SELECTOR + number];
		u64 base = number == FS ? vmcs12_get(vmcs12, VMCS_HOST_FS_BASE) :
			   number == GS ? vmcs12_get(vmcs12, VMCS_HOST_GS_BASE) : 0;

		if (number != CS)
			load_segment(image01, number, selector, base, flat, AR_DATA | (selector ? 0 : AR_UNUSABLE));
	}
	load_segment(image01, TR, vmcs12_get(vmcs12, VMCS_HOST_TR_SELECTOR), vmcs12_get(vmcs12, VMCS_HOST_TR_BASE), 0x67, AR_BUSY_TSS);
	load_segment(image01, LDTR, 0, 0, 0, AR_UNUSABLE);
	image_set(image01, VMCS_GUEST_GDTR_BASE, vmcs12_get(vmcs12, VMCS_HOST_GDTR_BASE));
	image_set(image01, VMCS_GUEST_GDTR_LIMIT, 0xffff);
	image_set(image01, VMCS_GUEST_IDTR_BASE, vmcs12_get(vmcs12, VMCS_HOST_IDTR_BASE));
	image_set(image01, VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

/* SDM "Loading Host Control Registers, Debug Registers, MSRs". */
static void load_registers(struct vmcs_image *image01, const struct vmcs12 *vmcs12, const struct sync_l2_state *l2, bool long_mode)
{
	u64 cr0 = (vmcs12_get(vmcs12, VMCS_HOST_CR0) & ~SYNC_CR0_KEPT) | (l2->cr0 & SYNC_CR0_KEPT);
	u64 cr4 = vmcs12_get(vmcs12, VMCS_HOST_CR4) | (long_mode ? CR4_PAE : 0);
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT);
	u64 efer = exit & EXIT_LOAD_IA32_EFER ? vmcs12_get(vmcs12, VMCS_HOST_IA32_EFER) : l2->efer;
	u64 entry = image_get(image01, VMCS_ENTRY_CONTROLS) & ~(u64)(ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_CET_STATE);

	efer = (efer & ~(EFER_LMA | EFER_LME)) | (long_mode ? EFER_LMA | EFER_LME : 0);
	image_set(image01, VMCS_GUEST_CR0, cr0);
	image_set(image01, VMCS_CR0_READ_SHADOW, cr0);
	image_set(image01, VMCS_GUEST_CR3, vmcs12_get(vmcs12, VMCS_HOST_CR3));
	image_set(image01, VMCS_GUEST_CR4, cr4);
	image_set(image01, VMCS_CR4_READ_SHADOW, cr4);
	image_set(image01, VMCS_GUEST_DR7, DR7_FIXED);
	image_set(image01, VMCS_GUEST_IA32_DEBUGCTL, 0);
	image_set(image01, VMCS_GUEST_IA32_SYSENTER_CS, vmcs12_get(vmcs12, VMCS_HOST_IA32_SYSENTER_CS));
	image_set(image01, VMCS_GUEST_IA32_SYSENTER_ESP, vmcs12_get(vmcs12, VMCS_HOST_IA32_SYSENTER_ESP));
	image_set(image01, VMCS_GUEST_IA32_SYSENTER_EIP, vmcs12_get(vmcs12, VMCS_HOST_IA32_SYSENTER_EIP));
	image_set(image01, VMCS_GUEST_IA32_EFER, efer);
	image_set(image01, VMCS_GUEST_IA32_PAT, exit & EXIT_LOAD_IA32_PAT ? vmcs12_get(vmcs12, VMCS_HOST_IA32_PAT) : l2->pat);
	/* SSP can be loaded by a VM entry only: switch_protection.c has its value. */
	image_set(image01, VMCS_ENTRY_CONTROLS,
		  entry | (long_mode ? ENTRY_IA32E_MODE_GUEST : 0) | (exit & EXIT_LOAD_CET_STATE ? ENTRY_LOAD_CET_STATE : 0));
}

void sync_load_host(struct vmcs_image *image01, const struct vmcs12 *vmcs12, const struct sync_l2_state *l2)
{
	bool long_mode = vmcs12_has(vmcs12, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE);

	load_registers(image01, vmcs12, l2, long_mode);
	load_segments(image01, vmcs12, long_mode);
	image_set(image01, VMCS_GUEST_RSP, vmcs12_get(vmcs12, VMCS_HOST_RSP));
	image_set(image01, VMCS_GUEST_RIP, vmcs12_get(vmcs12, VMCS_HOST_RIP));
	image_set(image01, VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	image_set(image01, VMCS_GUEST_INTERRUPTIBILITY_STATE, l2->nmi_blocking ? INTERRUPTIBILITY_NMI : 0);
	image_set(image01, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	image_set(image01, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}
