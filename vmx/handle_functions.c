/* SPDX-License-Identifier: MIT */
/*
 * VMFUNC and virtualization exceptions: what hardware would do for L2 with tables
 * of L1's. vmx/nested/vm_functions.c and virtualization_exception.c decide; this
 * file carries it out.
 */

#include "vmx/handle_functions.h"

#include "arch/x86.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/virtualization_exception.h"
#include "vmx/nested/vm_functions.h"

/* vmcs01 does not have the control: only L2 can come here. */
void handle_vmfunc(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	const u64 *gpr = vcpu->regs.gpr;
	u64 eptp02, spptp12 = ept02_spp_pointer12(slot->vmcs12);

	if (!vm_function(slot->vmcs12, &nested->offered, nested->memory, (u32)gpr[REG_RAX], (u32)gpr[REG_RCX])) {
		switch_leave_l2(vcpu, exit);
		return;
	}
	eptp02 = ept02_eptp(&nested->ept02, ept02_pointer12(slot->vmcs12));
	switch_write_field02(slot, VMCS_EPT_POINTER, eptp02);
	slot->quick.eptp12 = ept02_pointer12(slot->vmcs12);
	slot->quick.eptp02 = eptp02;
	if (unlikely(spptp12 != 0))
		switch_write_field02(slot, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER,
				     ept02_spptp(&nested->ept02, ept02_pointer12(slot->vmcs12), spptp12));
	emulate_advance(vcpu);
	shadow_push_field(vcpu, slot, &vmcs_fields[VMCS_INDEX_EPT_POINTER]);
}

/* Also where the exception is an exit: SDM "Delivery of Virtualization Exceptions", "normally" includes NMI unblocking. */
static void raise(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u32 unblocking = exit->qualification & QUALIFICATION_NMI_UNBLOCKING ? (u32)INTERRUPTION_NMI_UNBLOCKING : 0;

	if (!bit_is_set(vmcs12_get(vcpu->nested->current->vmcs12, VMCS_EXCEPTION_BITMAP), VECTOR_VE)) {
		emulate_exception(vcpu, VECTOR_VE, 0);
		return;
	}
	nested_write(vcpu, VMCS_GUEST_RFLAGS, vmcs_read(vcpu->running, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	switch_leave_for_event(vcpu, event_exception(VECTOR_VE) | unblocking, 0);
}

bool handle_virtualization_exception(struct vcpu *vcpu, const struct vm_exit *exit, u64 entry12)
{
	const struct nested *nested = vcpu->nested;
	const struct vmcs12 *vmcs12 = nested->current->vmcs12;
	struct convertible_violation violation;

	if (likely(!vmcs12_has(vmcs12, WORD_PROC2, PROC2_EPT_VIOLATION_VE)))
		return false;
	violation = (struct convertible_violation){
		.entry = entry12,
		.qualification = exit->qualification,
		.linear = vmcs_read(vcpu->running, VMCS_GUEST_LINEAR_ADDRESS),
		.physical = vmcs_read(vcpu->running, VMCS_GUEST_PHYSICAL_ADDRESS),
		.cr0 = vmcs_read(vcpu->running, VMCS_GUEST_CR0),
		.vectoring = (vmcs_read(vcpu->running, VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID) != 0,
	};
	if (!virtualization_exception(vmcs12, nested->memory, &violation))
		return false;
	raise(vcpu, exit);
	return true;
}
