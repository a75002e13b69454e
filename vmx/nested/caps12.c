/* SPDX-License-Identifier: MIT */
/*
 * Derives the VMX capabilities shown to L1 from hardware's and controls.def,
 * and answers L1's RDMSR of them. A control whose companions are not offered
 * is not offered either, so that L1 never finds a half feature. Pure.
 */
#include "arch/bits.h"
#include "arch/x86.h"
#include "vmx/nested/caps12.h"
#include "vmx/nested/vm_functions.h"
#include "vmx/nested/vmcs12.h"

/* SDM "Reserved Controls and Default Settings": the default1 class of each word. */
static const u32 default1[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = 0x00000016, [WORD_PROC] = 0x0401e172, [WORD_EXIT] = 0x00036dff, [WORD_ENTRY] = 0x000011ff,
};

#define CR3_TARGETS 4

/* What EPT02 and the INVEPT and INVVPID handlers implement, as far as hardware has it. */
#define EPT_CAPS_OF_HARDWARE \
	(EPT_CAP_EXECUTE_ONLY | EPT_CAP_4_LEVEL | EPT_CAP_UNCACHEABLE | EPT_CAP_WRITE_BACK | EPT_CAP_2M | \
	 EPT_CAP_5_LEVEL | EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_ADVANCED_EXIT_INFORMATION)
/* Carried out in software by dropping what is cached, whatever types hardware has. */
#define INVEPT_CAPS (EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)
#define INVVPID_CAPS \
	(VPID_CAP_INVVPID | VPID_CAP_INVVPID_ADDRESS | VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL | \
	 VPID_CAP_INVVPID_SINGLE_RETAINING_GLOBALS)

/* `control` is of use only together with `needs`. SDM "VM-Execution Control Fields" (checks). */
struct dependency {
	u8 word, needs_word;
	u32 mask, needs;
};

static void withdraw_dependent(struct vmx_caps *offered)
{
	const struct dependency dependencies[] = {
		{ WORD_PIN, WORD_PIN, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING },
		{ WORD_PROC, WORD_PIN, PROC_NMI_WINDOW_EXITING, PIN_VIRTUAL_NMIS },
		{ WORD_PROC2, WORD_PROC2, PROC2_UNRESTRICTED_GUEST, PROC2_ENABLE_EPT },
		{ WORD_PROC2, WORD_PROC2, PROC2_ENABLE_PML, PROC2_ENABLE_EPT },
		{ WORD_PROC2, WORD_PROC2, PROC2_MODE_BASED_EXECUTE, PROC2_ENABLE_EPT },
		{ WORD_PROC2, WORD_PROC2, PROC2_SUB_PAGE_WRITE_PERMISSIONS, PROC2_ENABLE_EPT },
		{ WORD_PROC2, WORD_PROC, PROC2_VIRTUALIZE_X2APIC_MODE, PROC_USE_TPR_SHADOW },
		{ WORD_PROC2, WORD_PROC, PROC2_APIC_REGISTER_VIRTUALIZATION, PROC_USE_TPR_SHADOW },
		{ WORD_PROC2, WORD_PROC, PROC2_VIRTUAL_INTERRUPT_DELIVERY, PROC_USE_TPR_SHADOW },
		{ WORD_PROC2, WORD_PIN, PROC2_VIRTUAL_INTERRUPT_DELIVERY, PIN_EXTERNAL_INTERRUPT_EXITING },
		{ WORD_PIN, WORD_PROC2, PIN_PROCESS_POSTED_INTERRUPTS, PROC2_VIRTUAL_INTERRUPT_DELIVERY },
		{ WORD_PIN, WORD_EXIT, PIN_PROCESS_POSTED_INTERRUPTS, EXIT_ACKNOWLEDGE_INTERRUPT },
		{ WORD_PROC2, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS, PROC2_ENABLE_EPT },
		{ WORD_PROC2, WORD_PROC2, PROC2_EPT_VIOLATION_VE, PROC2_ENABLE_EPT },
		{ WORD_EXIT, WORD_PIN, EXIT_SAVE_PREEMPTION_TIMER, PIN_ACTIVATE_PREEMPTION_TIMER },
		/* SSP has no MSR: L0 has the entry to L1 load it. */
		{ WORD_EXIT, WORD_ENTRY, EXIT_LOAD_CET_STATE, ENTRY_LOAD_CET_STATE },
	};

	for (u32 i = 0; i < array_size(dependencies); i++) {
		const struct dependency *d = &dependencies[i];

		if (!caps_allow(offered, d->needs_word, d->needs))
			offered->control[d->word].may_be_1 &= ~d->mask;
	}
}

static void derive_controls(struct vmx_caps *offered, const struct vmx_caps *hardware)
{
	u32 offer[CONTROL_WORD_COUNT] = { 0 };

	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].offered)
			offer[controls[i].word] |= UINT32_C(1) << controls[i].bit;
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		offered->control[word].may_be_1 = hardware->control[word].may_be_1 & offer[word];

	if (!caps_allow(offered, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS))
		offered->control[WORD_PROC2].may_be_1 = 0;
	/* EPT02 is built of write-back tables, of 4 levels or 5. */
	if ((~hardware->ept_vpid & (EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_INVEPT)) != 0)
		offered->control[WORD_PROC2].may_be_1 &= ~PROC2_ENABLE_EPT;
	if ((hardware->ept_vpid & VPID_CAP_INVVPID) == 0)
		offered->control[WORD_PROC2].may_be_1 &= ~PROC2_ENABLE_VPID;
	if ((hardware->ept_vpid & EPT_CAP_ACCESSED_DIRTY) == 0)
		offered->control[WORD_PROC2].may_be_1 &= ~PROC2_ENABLE_PML;
	/* Exit information gets into a shadow VMCS only so. */
	if ((hardware->misc & VMX_MISC_VMWRITE_ANY_FIELD) == 0)
		offered->control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	withdraw_dependent(offered);

	/* What hardware insists on stays 1 for L1 too: reserved bits of the default1 class. */
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		offered->control[word].must_be_1 = hardware->control[word].must_be_1;
		offered->control[word].may_be_1 |= hardware->control[word].must_be_1;
	}
}

static u64 derive_basic(u64 hardware)
{
	u64 kept = VMX_BASIC_INS_OUTS_INFORMATION | VMX_BASIC_ANY_ERROR_CODE;

	return VMCS12_REVISION | field_put(PAGE_SIZE, VMX_BASIC_REGION_SIZE) |
	       field_put(6 /* write-back */, VMX_BASIC_MEMORY_TYPE) | VMX_BASIC_TRUE_CONTROLS | (hardware & kept);
}

static u64 derive_misc(u64 hardware)
{
	u64 kept = VMX_MISC_TIMER_SHIFT | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
		   VMX_MISC_ACTIVITY_WAIT_FOR_SIPI | VMX_MISC_VMWRITE_ANY_FIELD | VMX_MISC_INJECT_ZERO_LENGTH;
	u64 targets = field_get(hardware, VMX_MISC_CR3_TARGETS);

	/* MSR list size 0: 512 entries, which is what msr_lists.h copies. */
	return (hardware & kept) | field_put(targets < CR3_TARGETS ? targets : CR3_TARGETS, VMX_MISC_CR3_TARGETS);
}

static u64 derive_ept_vpid(const struct vmx_caps *offered, u64 hardware)
{
	u64 value = 0;

	if (caps_allow(offered, WORD_PROC2, PROC2_ENABLE_EPT))
		value |= (hardware & EPT_CAPS_OF_HARDWARE) | INVEPT_CAPS;
	if (caps_allow(offered, WORD_PROC2, PROC2_ENABLE_VPID))
		value |= INVVPID_CAPS;
	return value;
}

/* SDM "VMCS Enumeration": the highest index of any field, in bits 9:1. */
static u64 derive_vmcs_enum(const struct vmx_caps *offered)
{
	u64 highest = 0;

	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 index = vmcs_fields[i].field.encoding & BITS(9, 1);

		if (vmcs_fields[i].class != CLASS_ABSENT && vmcs_field_exists(&vmcs_fields[i], offered) && index > highest)
			highest = index;
	}
	return highest;
}

bool caps12_has_vmx(const struct vmx_caps *offered)
{
	return (offered->cr4_fixed1 & CR4_VMXE) != 0;
}

void caps12_hide(struct vmx_caps *hardware, u64 hide)
{
	static const struct {
		enum control_word word;
		u32 controls;
		u64 ept_vpid;
	} rows[] = {
#define H(name, control_word, masks, capabilities) { WORD_##control_word, masks, capabilities },
#include "boot/hide.def"
#undef H
	};

	static_assert(array_size(rows) <= 64, "each row has a bit");
	for (u32 i = 0; i < array_size(rows); i++) {
		if (!(hide & BIT(i)))
			continue;
		hardware->control[rows[i].word].may_be_1 &= ~rows[i].controls;
		hardware->ept_vpid &= ~rows[i].ept_vpid;
		if (!rows[i].controls && !rows[i].ept_vpid)
			hardware->cr4_fixed1 &= ~CR4_VMXE;
	}
}

void caps12_derive(struct vmx_caps *offered, const struct vmx_caps *hardware)
{
	*offered = *hardware;
	offered->basic = derive_basic(hardware->basic);
	offered->misc = derive_misc(hardware->misc);
	derive_controls(offered, hardware);
	offered->ept_vpid = derive_ept_vpid(offered, hardware->ept_vpid);
	offered->vmfunc = caps_allow(offered, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS) ? hardware->vmfunc & VM_FUNCTION_EPTP_SWITCHING : 0;
	/* GETSEC is not virtualized: CPUID does not offer SMX, and CR4.SMXE is reserved. */
	offered->cr4_fixed1 &= ~CR4_SMXE;
	offered->vmcs_enum = derive_vmcs_enum(offered);
}

/* A TRUE MSR as L1 reads it. */
static u64 exact_controls(const struct vmx_caps *offered, enum control_word word)
{
	return offered->control[word].must_be_1 | (u64)offered->control[word].may_be_1 << 32;
}

/* The MSR from before the TRUE ones: the default1 class must be 1. */
static u64 plain_controls(const struct vmx_caps *offered, enum control_word word)
{
	return exact_controls(offered, word) | default1[word] | (u64)default1[word] << 32;
}

static bool conditional_msr(const struct vmx_caps *offered, u32 msr, u64 *value)
{
	switch (msr) {
	case IA32_VMX_PROCBASED_CTLS2:
		*value = exact_controls(offered, WORD_PROC2);
		return caps_allow(offered, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS);
	case IA32_VMX_EPT_VPID_CAP:
		*value = offered->ept_vpid;
		return caps_allow(offered, WORD_PROC2, PROC2_ENABLE_EPT) ||
		       caps_allow(offered, WORD_PROC2, PROC2_ENABLE_VPID);
	case IA32_VMX_VMFUNC:
		*value = offered->vmfunc;
		return caps_allow(offered, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS);
	default:
		*value = 0;
		return false;
	}
}

bool caps12_rdmsr(const struct vmx_caps *offered, u32 msr, u64 *value)
{
	if (msr == IA32_FEATURE_CONTROL) {
		*value = FEATURE_CONTROL_LOCK | (caps12_has_vmx(offered) ? FEATURE_CONTROL_VMX_OUTSIDE_SMX : 0);
		return true;
	}
	if (!caps12_has_vmx(offered))
		return false;
	switch (msr) {
	case IA32_VMX_BASIC: *value = offered->basic; return true;
	case IA32_VMX_PINBASED_CTLS: *value = plain_controls(offered, WORD_PIN); return true;
	case IA32_VMX_PROCBASED_CTLS: *value = plain_controls(offered, WORD_PROC); return true;
	case IA32_VMX_EXIT_CTLS: *value = plain_controls(offered, WORD_EXIT); return true;
	case IA32_VMX_ENTRY_CTLS: *value = plain_controls(offered, WORD_ENTRY); return true;
	case IA32_VMX_MISC: *value = offered->misc; return true;
	case IA32_VMX_CR0_FIXED0: *value = offered->cr0_fixed0; return true;
	case IA32_VMX_CR0_FIXED1: *value = offered->cr0_fixed1; return true;
	case IA32_VMX_CR4_FIXED0: *value = offered->cr4_fixed0; return true;
	case IA32_VMX_CR4_FIXED1: *value = offered->cr4_fixed1; return true;
	case IA32_VMX_VMCS_ENUM: *value = offered->vmcs_enum; return true;
	case IA32_VMX_TRUE_PINBASED_CTLS: *value = exact_controls(offered, WORD_PIN); return true;
	case IA32_VMX_TRUE_PROCBASED_CTLS: *value = exact_controls(offered, WORD_PROC); return true;
	case IA32_VMX_TRUE_EXIT_CTLS: *value = exact_controls(offered, WORD_EXIT); return true;
	case IA32_VMX_TRUE_ENTRY_CTLS: *value = exact_controls(offered, WORD_ENTRY); return true;
	default: return conditional_msr(offered, msr, value);
	}
}
