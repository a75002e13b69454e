/* SPDX-License-Identifier: MIT */
/*
 * From L2 to L1: guest state and exit information into vmcs12, L1's host state into
 * vmcs01. It reads like the SDM's "VM Exits"; the pure files decide.
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "mm/phys.h"
#include "vmx/events.h"
#include "vmx/nested/check.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/msr_store.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/sync.h"
#include "vmx/nested/threshold.h"
#include "vmx/nested/vmx_abort.h"

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields": the valid bit goes. */
void switch_note_exit(struct vcpu *vcpu)
{
	struct vmcs_image *written = &vcpu->nested->current->written02;

	image_set(written, VMCS_ENTRY_INTERRUPTION_INFORMATION,
		  image_get(written, VMCS_ENTRY_INTERRUPTION_INFORMATION) & ~INTERRUPTION_VALID);
}

static bool row_exists(const struct nested *nested, vmcs_field field)
{
	return nested->exists[field.index];
}

/* Of an unrestricted guest the exit has put LMA into vmcs02's "IA-32e mode guest", too. */
static void note_mode(struct vmcs_image *written)
{
	u64 entry = image_get(written, VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST;

	if (!(image_get(written, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_UNRESTRICTED_GUEST))
		return;
	if (image_get(written, VMCS_GUEST_IA32_EFER) & EFER_LMA)
		entry |= ENTRY_IA32E_MODE_GUEST;
	image_set(written, VMCS_ENTRY_CONTROLS, entry);
}

void switch_save_guest(const struct nested *nested, struct nested_slot *slot)
{
	for (u32 i = 0; i < sync_hot_count; i++) {
		vmcs_field field = sync_hot_fields[i];

		if (row_exists(nested, field))
			image_set(&slot->written02, field, vmcs_read(&slot->vmcs02, field));
	}
	note_mode(&slot->written02);
	sync_guest(slot->vmcs12, &slot->written02);
	slot->rare_in_02 = true;
	slot->quick.l2_efer = image_get(&slot->written02, VMCS_GUEST_IA32_EFER);
	slot->quick.l2_pat = image_get(&slot->written02, VMCS_GUEST_IA32_PAT);
	slot->quick.steady = false;
	shadow_save_open(nested, slot);
}

void switch_record_exit(const struct nested *nested, struct nested_slot *slot, const struct vm_exit *exit)
{
	static const vmcs_field information[] = {
		VMCS_FIELD(EXIT_INTERRUPTION_ERROR_CODE), VMCS_FIELD(IDT_VECTORING_INFORMATION),
		VMCS_FIELD(IDT_VECTORING_ERROR_CODE), VMCS_FIELD(EXIT_INSTRUCTION_LENGTH),
		VMCS_FIELD(EXIT_INSTRUCTION_INFORMATION), VMCS_FIELD(GUEST_LINEAR_ADDRESS),
		VMCS_FIELD(GUEST_PHYSICAL_ADDRESS), VMCS_FIELD(IO_RCX), VMCS_FIELD(IO_RSI), VMCS_FIELD(IO_RDI),
		VMCS_FIELD(IO_RIP),
	};
	struct vmcs12 *vmcs12 = slot->vmcs12;

	for (u32 i = 0; i < array_size(information); i++)
		if (row_exists(nested, information[i]))
			vmcs12_set(vmcs12, information[i], vmcs_read(&slot->vmcs02, information[i]));
	vmcs12_set(vmcs12, VMCS_EXIT_INTERRUPTION_INFORMATION, exit->interruption_information);
	vmcs12_set(vmcs12, VMCS_EXIT_REASON, exit->reason);
	vmcs12_set(vmcs12, VMCS_EXIT_QUALIFICATION, exit->qualification);
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields": the event has been injected. */
static void clear_injection(struct vmcs12 *vmcs12)
{
	u64 injection = vmcs12_get(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & ~INTERRUPTION_VALID;

	vmcs12_set(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, injection);
}

/*
 * NMI blocking after the exit: an NMI exit sets it, others leave it as it was in
 * L2; with virtual NMIs L2 had none. SDM "Updating Non-Register State".
 */
static bool nmi_blocking_after(const struct vmcs12 *vmcs12, const struct vm_exit *exit)
{
	if (exit_is_nmi(exit))
		return true;
	if (vmcs12_has(vmcs12, WORD_PIN, PIN_VIRTUAL_NMIS))
		return false;
	return (vmcs12_get(vmcs12, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI) != 0;
}

/* What L1 inherits from L2; after a failed entry, in which L2 never ran, from itself. vmcs01 is current. */
static struct sync_l2_state l2_state(const struct vcpu *vcpu, const struct nested_slot *slot, const struct vm_exit *exit)
{
	struct merge_l1_state l1;
	u64 interruptibility;

	if (exit->entry_failure) {
		l1 = switch_l1_state(vcpu);
		interruptibility = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE);
		return (struct sync_l2_state){
			.cr0 = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR0),
			.efer = l1.efer,
			.pat = l1.pat,
			.nmi_blocking = (interruptibility & INTERRUPTIBILITY_NMI) != 0,
		};
	}
	return (struct sync_l2_state){
		.cr0 = image_get(&slot->written02, VMCS_GUEST_CR0),
		.efer = image_get(&slot->written02, VMCS_GUEST_IA32_EFER),
		.pat = image_get(&slot->written02, VMCS_GUEST_IA32_PAT),
		.nmi_blocking = nmi_blocking_after(slot->vmcs12, exit),
	};
}

/* The first entry to L1 loads its list on hardware, which also finds what is wrong with it. */
static void arrange_exit_load(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	struct nested *nested = vcpu->nested;
	u32 count12 = (u32)vmcs12_get(vmcs12, VMCS_EXIT_MSR_LOAD_COUNT);

	if (!count12)
		return;
	switch_fetch_list(nested, nested->exit_load, vmcs12_get(vmcs12, VMCS_EXIT_MSR_LOAD_ADDRESS), count12, true);
	nested->exit_load_count = count12;
	nested->loads_once = true;
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_MSR_LOAD_ADDRESS, phys_of(nested->exit_load).value);
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_MSR_LOAD_COUNT, count12);
}

/* SDM "Checking and Loading Host Page-Directory-Pointer-Table Entries": a bad one is a VMX abort. */
static bool load_l1_pdptes(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 pdpte[4];

	switch_read_pdptes(nested, image_get(&nested->image01, VMCS_GUEST_CR3), pdpte);
	if (!check_pdptes(&nested->offered, pdpte))
		return false;
	for (u16 i = 0; i < 4; i++)
		vmcs_write(&vcpu->vmcs01, vmcs_fields[VMCS_INDEX_GUEST_PDPTE0 + i].field, pdpte[i]);
	return true;
}

/* SDM "Loading Host State". vmcs01 is current. False: a VMX abort. */
static bool load_l1(struct vcpu *vcpu, const struct vmcs12 *vmcs12, const struct sync_l2_state *l2)
{
	struct nested *nested = vcpu->nested;

	sync_load_host(&nested->image01, vmcs12, l2);
	for (u32 i = 0; i < sync_host_count; i++)
		if (row_exists(nested, sync_host_fields[i]))
			vmcs_write(&vcpu->vmcs01, sync_host_fields[i], image_get(&nested->image01, sync_host_fields[i]));
	if (!vmcs12_has(vmcs12, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE) &&
	    (image_get(&nested->image01, VMCS_GUEST_CR4) & CR4_PAE) && !load_l1_pdptes(vcpu))
		return false;
	if (vmcs12_has(vmcs12, WORD_EXIT, EXIT_LOAD_IA32_PERF_GLOBAL_CTRL))
		(void)wrmsr_safe(IA32_PERF_GLOBAL_CTRL, vmcs12_get(vmcs12, VMCS_HOST_IA32_PERF_GLOBAL_CTRL));
	if (unlikely(vmcs12_control(vmcs12, WORD_EXIT) & SWITCH_PROTECTION))
		switch_load_protection(vcpu, vmcs12);
	/* An exit without VPIDs drops what was cached for VPID 0, which is where L1 lives in its own eyes. */
	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID))
		switch_flush_vpid0(nested);
	return true;
}

/* L2's side of the exit, up to L1's MSR-store list. */
static enum vmx_abort save_l2(struct vcpu *vcpu, struct nested_slot *slot, const struct vm_exit *exit)
{
	slot->deferred = false;
	switch_save_guest(vcpu->nested, slot);
	switch_record_exit(vcpu->nested, slot, exit);
	clear_injection(slot->vmcs12);
	slot->vmcs12->launch_state = LAUNCH_STATE_LAUNCHED;
	if (unlikely(vmcs12_control(slot->vmcs12, WORD_EXIT) & EXIT_SAVE_IA32_PERF_GLOBAL_CTRL))
		switch_save_perf_global_ctrl(slot);
	if (!msr_store_list(vcpu, slot))
		return ABORT_SAVE_MSRS;
	if (unlikely(!vmcs12_has(slot->vmcs12, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE)) &&
	    (image_get(&slot->written02, VMCS_GUEST_IA32_EFER) & EFER_LMA))
		return ABORT_ADDRESS_SPACE_SIZE;
	return ABORT_NONE;
}

void switch_leave_l2(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	enum vmx_abort abort = ABORT_NONE;
	struct sync_l2_state l2;

	if (exit->entry_failure)
		quick_settle(vcpu, slot);
	else
		abort = save_l2(vcpu, slot, exit);
	/* What an entry leaves bent, or has not done, the next one puts right. */
	slot->quick.ready &= !exit->entry_failure && !nested->nmi_window02;
	/* L2 had run, and it was L0's own entry that failed, by a machine check say: L1 has to know where L2 came to. */
	if (unlikely(exit->entry_failure && nested->resumed))
		switch_save_guest(nested, slot);
	vmcs12_set(slot->vmcs12, VMCS_EXIT_REASON, exit->reason);
	vmcs12_set(slot->vmcs12, VMCS_EXIT_QUALIFICATION, exit->qualification);
	nested->nmi_window02 = false; /* the next merge puts the controls right */
	threshold_forget(vcpu);
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	nested->known01 = 0;
	vmcs_load(&vcpu->vmcs01);
	l2 = l2_state(vcpu, slot, exit);
	if (abort == ABORT_NONE && !load_l1(vcpu, slot->vmcs12, &l2))
		abort = ABORT_HOST_PDPTE;
	if (unlikely(abort != ABORT_NONE)) {
		vmx_abort(vcpu, abort);
		return;
	}
	arrange_exit_load(vcpu, slot->vmcs12);
	shadow_push(vcpu, slot);
	count(COUNTER_REFLECTED);
}

void switch_leave_unentered(struct vcpu *vcpu, const struct vm_exit *exit, u32 error_code)
{
	struct nested_slot *slot = vcpu->nested->current;
	u64 injection = vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION);
	u64 injection_error_code = vmcs_read(vcpu->running, VMCS_ENTRY_EXCEPTION_ERROR_CODE);
	u64 length = vmcs_read(vcpu->running, VMCS_ENTRY_INSTRUCTION_LENGTH);

	switch_leave_l2(vcpu, exit);
	if (vcpu->nested->slow & SLOW_ABORTED)
		return;
	/* vmcs02 tells of the exit before; what was about to be injected was being delivered. */
	vmcs12_set(slot->vmcs12, VMCS_EXIT_INTERRUPTION_ERROR_CODE, error_code);
	vmcs12_set(slot->vmcs12, VMCS_IDT_VECTORING_INFORMATION, injection & INTERRUPTION_VALID ? injection : 0);
	vmcs12_set(slot->vmcs12, VMCS_IDT_VECTORING_ERROR_CODE, injection_error_code);
	if ((injection & INTERRUPTION_VALID) && interruption_has_length(injection))
		vmcs12_set(slot->vmcs12, VMCS_EXIT_INSTRUCTION_LENGTH, length);
	shadow_push(vcpu, slot);
}

void switch_leave_for_event(struct vcpu *vcpu, u32 information, u32 error_code)
{
	const struct vm_exit exit = {
		.reason = EXIT_EXCEPTION_OR_NMI,
		.basic = EXIT_EXCEPTION_OR_NMI,
		.interruption_information = information,
	};

	switch_leave_unentered(vcpu, &exit, error_code);
}
