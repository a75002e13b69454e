/* SPDX-License-Identifier: MIT */
/* VTPR and the TPR threshold: see vmx/nested/task_priority.h. */

#include "vmx/nested/task_priority.h"

#define VIRTUAL_APIC_TPR 0x80
#define THRESHOLD BITS(3, 0)
#define CR_NUMBER BITS(3, 0)
#define CR_ACCESS_TYPE BITS(5, 4)

static l1_gpa_t vtpr_address(const struct vmcs12 *vmcs12)
{
	return l1_gpa(vmcs12_get(vmcs12, VMCS_VIRTUAL_APIC_ADDRESS) + VIRTUAL_APIC_TPR);
}

u8 task_priority_class(const struct vmcs12 *vmcs12, const struct l1_memory *memory)
{
	u8 vtpr;

	l1_read(memory, vtpr_address(vmcs12), &vtpr, sizeof(vtpr));
	return vtpr >> 4;
}

bool task_priority_is_refused(const struct vmcs12 *vmcs12, u8 priority_class)
{
	return vmcs12_has(vmcs12, WORD_PROC, PROC_USE_TPR_SHADOW) &&
	       !vmcs12_has(vmcs12, WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES) &&
	       !vmcs12_has(vmcs12, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY) &&
	       priority_class < (vmcs12_get(vmcs12, VMCS_TPR_THRESHOLD) & THRESHOLD);
}

bool task_priority_has_msr(const struct vmcs12 *vmcs12)
{
	return vmcs12_has(vmcs12, WORD_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE);
}

bool task_priority_is_move_to_cr8(u64 qualification)
{
	return field_get(qualification, CR_NUMBER) == 8 && field_get(qualification, CR_ACCESS_TYPE) == 0;
}

/* SDM "Virtualizing CR8-Based TPR Accesses", "Virtualizing MSR-Based APIC Accesses": the rest of VTPR is cleared. */
static void write_vtpr(const struct vmcs12 *vmcs12, const struct l1_memory *memory, u32 vtpr)
{
	l1_write(memory, vtpr_address(vmcs12), &vtpr, sizeof(vtpr));
}

bool task_priority_write_cr8(const struct vmcs12 *vmcs12, const struct l1_memory *memory, u64 value)
{
	if (value & ~BITS(3, 0))
		return false;
	write_vtpr(vmcs12, memory, (u32)value << 4);
	return true;
}

bool task_priority_write_msr(const struct vmcs12 *vmcs12, const struct l1_memory *memory, u64 value)
{
	if (value & ~BITS(7, 0))
		return false;
	write_vtpr(vmcs12, memory, (u32)value);
	return true;
}
