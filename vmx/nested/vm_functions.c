/* SPDX-License-Identifier: MIT */
/* VM functions of L2: see vm_functions.h. */

#include "vmx/nested/vm_functions.h"

#include "vmx/nested/check.h"

/* The list is L1's memory and may change: the entry is read once. */
static bool switch_eptp(struct vmcs12 *vmcs12, const struct vmx_caps *offered, const struct l1_memory *memory, u32 ecx)
{
	u64 eptp;

	if (ecx >= EPTP_LIST_ENTRIES)
		return false;
	eptp = l1_read64(memory, l1_gpa(vmcs12_get(vmcs12, VMCS_EPTP_LIST_ADDRESS) + ecx * sizeof(eptp)));
	if (!check_is_eptp_valid(offered, eptp))
		return false;
	vmcs12_set(vmcs12, VMCS_EPT_POINTER, eptp);
	/* Whether or not vmcs12 uses it: what counts is that the processor has the control. */
	if (caps_allow(offered, WORD_PROC2, PROC2_EPT_VIOLATION_VE))
		vmcs12_set(vmcs12, VMCS_EPTP_INDEX, ecx);
	return true;
}

bool vm_function(struct vmcs12 *vmcs12, const struct vmx_caps *offered, const struct l1_memory *memory, u32 eax, u32 ecx)
{
	/* The processor has raised #UD for functions above 63. */
	if (eax >= 64 || !bit_is_set(vmcs12_get(vmcs12, VMCS_VM_FUNCTION_CONTROLS), eax))
		return false;
	/* No other function can be enabled: entry checks. */
	return eax == 0 && switch_eptp(vmcs12, offered, memory, ecx);
}
