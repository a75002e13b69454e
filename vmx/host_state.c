/* SPDX-License-Identifier: MIT */
/*
 * The host-state area: see vmx/host_state.h. FS is not used by L0, GS reaches
 * struct percpu, RSP is the same constant in every VMCS of the CPU.
 */
#include "vmx/host_state.h"

#include "arch/descriptors.h"
#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/controls.h"
#include "vmx/vcpu.h"

/* The PAT as after reset: entry 0, the only one L0 uses, is WB. SDM "IA32_PAT MSR". */
#define PAT_AFTER_RESET UINT64_C(0x0007040600070406)

static void write_selectors(const struct vmcs *vmcs)
{
	vmcs_write(vmcs, VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	vmcs_write(vmcs, VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
	vmcs_write(vmcs, VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
	vmcs_write(vmcs, VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
	vmcs_write(vmcs, VMCS_HOST_FS_SELECTOR, 0);
	vmcs_write(vmcs, VMCS_HOST_GS_SELECTOR, 0);
	vmcs_write(vmcs, VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
}

void host_state_write(const struct vmcs *vmcs, u32 exit_controls)
{
	const struct percpu *cpu = percpu();

	write_selectors(vmcs);
	vmcs_write(vmcs, VMCS_HOST_FS_BASE, 0);
	vmcs_write(vmcs, VMCS_HOST_GS_BASE, (u64)(uintptr_t)cpu);
	vmcs_write(vmcs, VMCS_HOST_TR_BASE, cpu->tss_base);
	vmcs_write(vmcs, VMCS_HOST_GDTR_BASE, sgdt().base);
	vmcs_write(vmcs, VMCS_HOST_IDTR_BASE, sidt().base);
	vmcs_write(vmcs, VMCS_HOST_CR0, read_cr0());
	vmcs_write(vmcs, VMCS_HOST_CR3, read_cr3());
	vmcs_write(vmcs, VMCS_HOST_CR4, read_cr4());
	vmcs_write(vmcs, VMCS_HOST_IA32_SYSENTER_CS, 0);
	vmcs_write(vmcs, VMCS_HOST_IA32_SYSENTER_ESP, 0);
	vmcs_write(vmcs, VMCS_HOST_IA32_SYSENTER_EIP, 0);
	if (exit_controls & EXIT_LOAD_IA32_PAT)
		vmcs_write(vmcs, VMCS_HOST_IA32_PAT, PAT_AFTER_RESET);
	if (exit_controls & EXIT_LOAD_IA32_EFER)
		vmcs_write(vmcs, VMCS_HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmcs_write(vmcs, VMCS_HOST_RSP, vcpu_host_rsp(cpu));
	vmcs_write(vmcs, VMCS_HOST_RIP, (u64)(uintptr_t)vcpu_exit);
}
