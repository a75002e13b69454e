/* SPDX-License-Identifier: MIT */
/*
 * State that VM exits load or save only on request, and that L0 never touches: CET
 * state, PKRS, the user-interrupt notification vector, IA32_PERF_GLOBAL_CTRL. L0 runs
 * with CR4.CET, PKS and UINTR clear, so L1's and L2's values simply stay in the
 * processor while it works; no VMCS of L0's loads or saves them for its sake. SDM
 * "Loading Host Control Registers, Debug Registers, MSRs".
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/switch_parts.h"

static u64 present(u32 msr)
{
	u64 value;

	return rdmsr_safe(msr, &value) ? value : 0;
}

/*
 * MSRs take their values here, or keep them where the processor refuses what our checks passed. SSP has no
 * MSR: the next entry to L1 loads it, with the other two as they are now.
 */
static void load_cet(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	(void)wrmsr_safe(IA32_S_CET, vmcs12_get(vmcs12, VMCS_HOST_IA32_S_CET));
	(void)wrmsr_safe(IA32_INTERRUPT_SSP_TABLE_ADDR, vmcs12_get(vmcs12, VMCS_HOST_IA32_INTERRUPT_SSP_TABLE));
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_S_CET, present(IA32_S_CET));
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE, present(IA32_INTERRUPT_SSP_TABLE_ADDR));
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_SSP, vmcs12_get(vmcs12, VMCS_HOST_SSP));
	vcpu->nested->loads_once = true;
}

void switch_load_protection(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT);

	if (exit & EXIT_LOAD_CET_STATE)
		load_cet(vcpu, vmcs12);
	if (exit & EXIT_LOAD_PKRS)
		(void)wrmsr_safe(IA32_PKRS, vmcs12_get(vmcs12, VMCS_HOST_IA32_PKRS));
	if (exit & EXIT_CLEAR_UINV)
		(void)wrmsr_safe(IA32_UINTR_MISC, present(IA32_UINTR_MISC) & ~UINTR_MISC_UINV);
}

void switch_save_perf_global_ctrl(struct nested_slot *slot)
{
	u64 value = present(IA32_PERF_GLOBAL_CTRL);

	/* vmcs02's field is written by a whole merge only. */
	slot->dirty |= value != vmcs12_get(slot->vmcs12, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL);
	vmcs12_set(slot->vmcs12, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, value);
}

void switch_loads_done(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 entry = vmcs_read(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_LOAD_CET_STATE;

	nested->loads_once = false;
	nested->exit_load_count = 0;
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS, entry);
	image_set(&nested->image01, VMCS_ENTRY_CONTROLS, entry);
}
