/* SPDX-License-Identifier: MIT */
/*
 * VM functions of L2: EPTP switching. vmcs02 has "enable VM functions" as vmcs12
 * has it but no function enabled, so that each VMFUNC comes to L0, which knows
 * L1's list. SDM "VM Functions", "EPTP Switching". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"
#include "vmx/nested/vmcs12.h"

/* IA32_VMX_VMFUNC and VM-function controls. */
#define VM_FUNCTION_EPTP_SWITCHING BIT(0)

#define EPTP_LIST_ENTRIES 512

/*
 * VMFUNC of an L2 for which the control is set: true when the function was carried
 * out on vmcs12 (whose EPT pointer is then another); false: it is an exit to L1.
 */
bool vm_function(struct vmcs12 *vmcs12, const struct vmx_caps *offered, const struct l1_memory *memory, u32 eax, u32 ecx) must_check;
