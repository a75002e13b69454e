/* SPDX-License-Identifier: MIT */
/*
 * VMCS regions: see vmx/vmcs.h. SDM "VMCS Types", "Software Use of VMCSs and
 * Related Structures". An instruction that fails here means that L0 lost track.
 */
#include "vmx/vmcs.h"

#include "drivers/panic.h"
#include "mm/phys.h"

void vmcs_init(struct vmcs *vmcs, void *page, u32 revision, const char *name)
{
	*(u32 *)page = revision;
	vmcs->address = phys_of(page);
	vmcs->name = name;
	vmcs_clear(vmcs);
}

void vmcs_clear(struct vmcs *vmcs)
{
	struct percpu *cpu = percpu();

	count(COUNTER_VMCLEARS);
	if (vmclear(&vmcs->address.value) != VMX_OK)
		vmcs_load_failed(vmcs);
	vmcs->launched = false;
	if (cpu->current_vmcs == vmcs)
		cpu->current_vmcs = NULL;
}

void vmcs_load(const struct vmcs *vmcs)
{
	struct percpu *cpu = percpu();

	if (cpu->current_vmcs == vmcs)
		return;
	count(COUNTER_VMPTRLDS);
	if (vmptrld(&vmcs->address.value) != VMX_OK)
		vmcs_load_failed(vmcs);
	cpu->current_vmcs = vmcs;
}

noreturn void vmcs_load_failed(const struct vmcs *vmcs)
{
	panic("VMPTRLD or VMCLEAR of %s at 0x%lx failed", vmcs->name, vmcs->address.value);
}

noreturn void vmcs_access_failed(const struct vmcs *vmcs, u32 encoding, bool write)
{
	const struct vmcs_field_info *info = vmcs_lookup(encoding);

	panic("%s of %s (0x%x) in %s failed", write ? "VMWRITE" : "VMREAD", info != NULL ? info->name : "a field",
	      encoding, vmcs->name);
}

noreturn void vmcs_not_current(const struct vmcs *vmcs)
{
	const struct vmcs *current = percpu()->current_vmcs;

	panic("%s is accessed while %s is current", vmcs->name, current != NULL ? current->name : "none");
}

bool vmcs_try_read(vmcs_field field, u64 *value)
{
	return !vmread_failed(field.encoding, value);
}
