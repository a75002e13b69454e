/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR that exit to L0: IA32_FEATURE_CONTROL, the VMX capabilities, the
 * MTRRs (EPT01 follows them), and whatever lies outside the MSR bitmap, which is
 * the processor's own.
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/emulate.h"
#include "vmx/ept01.h"
#include "vmx/exits.h"
#include "vmx/nested/caps12.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/task_priority.h"
#include "vmx/nested/threshold.h"
#include "vmx/nested/watch.h"

static bool is_vmx_capability(u32 msr)
{
	return msr >= IA32_VMX_BASIC && msr <= IA32_VMX_EXIT_CTLS2;
}

/* 0x200-0x2ff holds the MTRRs, and IA32_PAT, which is the guest's. */
static bool is_mtrr(u32 msr)
{
	return msr >= IA32_MTRR_PHYSBASE0 && msr <= IA32_MTRR_DEF_TYPE && msr != IA32_PAT;
}

static bool read_msr(const struct vcpu *vcpu, u32 msr, u64 *value)
{
	/* Processor trace writes to physical memory past EPT, L0's too: CPUID does not offer it, and its MSRs do not exist. */
	if (msr_list_is_hidden(msr))
		return false;
	if (msr == IA32_FEATURE_CONTROL || is_vmx_capability(msr))
		return caps12_rdmsr(&vcpu->nested->offered, msr, value);
	return rdmsr_safe(msr, value);
}

/* VTPR is the MSR for L2 while L0 watches its virtual task priority (vmx/nested/threshold.h). */
static bool is_virtual_tpr(const struct vcpu *vcpu, u32 msr)
{
	return msr == IA32_X2APIC_TPR && threshold_is_watched(vcpu);
}

static bool write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (is_virtual_tpr(vcpu, msr))
		return task_priority_write_msr(vcpu->nested->current->vmcs12, vcpu->nested->memory, value);
	if (msr_list_is_hidden(msr) || msr_hides_block(vcpu->nested->memory, msr, value))
		return false;
	/* Locked, and read-only. */
	if (msr == IA32_FEATURE_CONTROL || is_vmx_capability(msr))
		return false;
	if (!wrmsr_safe(msr, value))
		return false;
	if (is_mtrr(msr))
		ept01_mtrrs_changed(vcpu->machine->ept01);
	return true;
}

void handle_rdmsr(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 *gpr = vcpu->regs.gpr;
	u64 value;

	(void)exit;
	if (!read_msr(vcpu, (u32)gpr[REG_RCX], &value)) {
		emulate_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	gpr[REG_RAX] = (u32)value;
	gpr[REG_RDX] = value >> 32;
	emulate_advance(vcpu);
}

void handle_wrmsr(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const u64 *gpr = vcpu->regs.gpr;
	u64 value = (u32)gpr[REG_RAX] | gpr[REG_RDX] << 32;

	(void)exit;
	if (watch_ends_by_msr(vcpu, (u32)gpr[REG_RCX]))
		return;
	if (!write_msr(vcpu, (u32)gpr[REG_RCX], value)) {
		emulate_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	emulate_advance(vcpu);
	if (is_virtual_tpr(vcpu, (u32)gpr[REG_RCX]))
		threshold_judge(vcpu);
}
