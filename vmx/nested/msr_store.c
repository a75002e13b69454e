/* SPDX-License-Identifier: MIT */
/*
 * Saving L2's MSRs for L1. MSRs that a VM exit switches are read from vmcs02,
 * the others from the processor, which still has L2's values.
 */

#include "vmx/nested/msr_store.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/nested/caps12.h"

struct switched_msr {
	u32 msr;
	vmcs_field field;
};

static const struct switched_msr switched[] = {
	{ IA32_SYSENTER_CS, VMCS_FIELD(GUEST_IA32_SYSENTER_CS) },
	{ IA32_SYSENTER_ESP, VMCS_FIELD(GUEST_IA32_SYSENTER_ESP) },
	{ IA32_SYSENTER_EIP, VMCS_FIELD(GUEST_IA32_SYSENTER_EIP) },
	{ IA32_DEBUGCTL, VMCS_FIELD(GUEST_IA32_DEBUGCTL) },
	{ IA32_PAT, VMCS_FIELD(GUEST_IA32_PAT) },
	{ IA32_EFER, VMCS_FIELD(GUEST_IA32_EFER) },
	{ IA32_FS_BASE, VMCS_FIELD(GUEST_FS_BASE) },
	{ IA32_GS_BASE, VMCS_FIELD(GUEST_GS_BASE) },
};

static bool read_msr(const struct vcpu *vcpu, const struct nested_slot *slot, u32 msr, u64 *value)
{
	const struct nested *nested = vcpu->nested;

	for (u32 i = 0; i < array_size(switched); i++)
		if (switched[i].msr == msr && vmcs_field_exists(&vmcs_fields[switched[i].field.index], nested->hardware)) {
			*value = vmcs_read(&slot->vmcs02, switched[i].field);
			return true;
		}
	if (msr == IA32_FEATURE_CONTROL || (msr >= IA32_VMX_BASIC && msr <= IA32_VMX_EXIT_CTLS2))
		return caps12_rdmsr(&nested->offered, msr, value);
	return rdmsr_safe(msr, value);
}

bool msr_store_list(struct vcpu *vcpu, struct nested_slot *slot)
{
	const struct l1_memory *memory = vcpu->nested->memory;
	u64 address = vmcs12_get(slot->vmcs12, VMCS_EXIT_MSR_STORE_ADDRESS);
	u32 list_count = (u32)vmcs12_get(slot->vmcs12, VMCS_EXIT_MSR_STORE_COUNT);
	bool x2apic;

	if (!list_count)
		return true;
	x2apic = (rdmsr(IA32_APIC_BASE) & BIT(10)) != 0;
	if (list_count > MSR_LIST_MAX)
		return false;
	for (u32 i = 0; i < list_count; i++, address += sizeof(struct msr_entry)) {
		struct msr_entry entry;
		u64 value;

		msr_list_read(memory, l1_gpa(address), 1, &entry);
		if (msr_list_refused_store(&entry, 1, x2apic) || !read_msr(vcpu, slot, entry.index, &value))
			return false;
		l1_write(memory, l1_gpa(address + offsetof(struct msr_entry, value)), &value, sizeof(value));
	}
	return true;
}
