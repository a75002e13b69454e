/* SPDX-License-Identifier: MIT */
/* What entering and leaving L2 share: fields of vmcs02, L1's lists and PDPTEs, L1's live state. */

#include "vmx/nested/switch_parts.h"

#include "arch/ops.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"

void switch_write_field02(struct nested_slot *slot, vmcs_field field, u64 value)
{
	vmcs_write(&slot->vmcs02, field, value);
	image_set(&slot->written02, field, value);
}

/* The PDPTEs that MOV to CR3 would load. SDM "PDPTE Registers". */
void switch_read_pdptes(const struct nested *nested, u64 cr3, u64 pdpte[4])
{
	for (u64 i = 0; i < 4; i++)
		pdpte[i] = l1_read64(nested->memory, l1_gpa((cr3 & BITS(31, 5)) + 8 * i));
}

/* Reads the lists once; an entry that must be refused is made one that hardware refuses at that place. */
void switch_fetch_list(struct nested *nested, struct msr_entry *list, u64 address, u32 count, bool at_exit)
{
	bool x2apic = (rdmsr(IA32_APIC_BASE) & BIT(10)) != 0;
	u32 refused;

	msr_list_read(nested->memory, l1_gpa(address), count, list);
	refused = msr_list_refused_load(list, count, at_exit, x2apic);
	for (u32 i = 0; !refused && i < count; i++)
		if (msr_hides_block(nested->memory, list[i].index, list[i].value))
			refused = i + 1;
	if (refused)
		list[refused - 1] = (struct msr_entry){ .index = IA32_FS_BASE };
	nested->mtrrs_loaded |= msr_list_touches_mtrrs(list, count);
}

/* vmcs01 is current: L1's state that L2 inherits. */
struct merge_l1_state switch_l1_state(const struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;
	bool has_pat = vcpu->nested->exists[VMCS_INDEX_GUEST_IA32_PAT];

	return (struct merge_l1_state){
		.efer = vmcs_read(v, VMCS_GUEST_IA32_EFER),
		.pat = has_pat ? vmcs_read(v, VMCS_GUEST_IA32_PAT) : 0,
		.dr7 = vmcs_read(v, VMCS_GUEST_DR7),
		.debugctl = vmcs_read(v, VMCS_GUEST_IA32_DEBUGCTL),
	};
}

void switch_flush_vpid0(const struct nested *nested)
{
	if (caps_allow(nested->hardware, WORD_PROC2, PROC2_ENABLE_VPID))
		(void)invvpid(INVVPID_SINGLE, VPID01, 0);
}
