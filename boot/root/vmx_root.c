/* SPDX-License-Identifier: MIT */
/*
 * FEATURE_CONTROL and VMXON: see boot/root/vmx_root.h.
 */
#include "boot/root/vmx_root.h"

#include "arch/ops.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "drivers/console.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/caps.h"

static enum launch_status enable_vmx(void)
{
	u64 control;

	/* Emulators and hypervisors exist that have VMX without this MSR: then nothing is locked. */
	if (!rdmsr_safe(IA32_FEATURE_CONTROL, &control))
		return LAUNCH_OK;
	if (control & FEATURE_CONTROL_LOCK) {
		if (control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)
			return LAUNCH_OK;
		log_error("IA32_FEATURE_CONTROL is locked without VMX (0x%lx): enable VMX in the firmware's setup", control);
		return LAUNCH_FEATURE_CONTROL_LOCKED;
	}
	control |= FEATURE_CONTROL_VMX_OUTSIDE_SMX | FEATURE_CONTROL_LOCK;
	if (!wrmsr_safe(IA32_FEATURE_CONTROL, control)) {
		log_error("IA32_FEATURE_CONTROL refuses 0x%lx", control);
		return LAUNCH_FEATURE_CONTROL_LOCKED;
	}
	return LAUNCH_OK;
}

enum launch_status vmx_root_enter(struct cpu_area *area)
{
	enum launch_status status = enable_vmx();
	u32 *region;

	if (status != LAUNCH_OK)
		return status;
	region = page_alloc();
	if (region == NULL)
		return LAUNCH_NO_MEMORY;
	*region = (u32)field_get(rdmsr(IA32_VMX_BASIC), VMX_BASIC_REVISION);
	area->vmxon_region = phys_of(region).value;
	if (vmxon(&area->vmxon_region) != VMX_OK) {
		log_error("VMXON failed: CR0 0x%lx, CR4 0x%lx, region 0x%lx", read_cr0(), read_cr4(), area->vmxon_region);
		return LAUNCH_VMXON_FAILED;
	}
	return LAUNCH_OK;
}

void vmx_root_leave(void)
{
	(void)vmxoff();
	percpu()->current_vmcs = NULL;
}
