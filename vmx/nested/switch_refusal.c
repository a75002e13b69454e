/* SPDX-License-Identifier: MIT */
/*
 * VM entries that are refused: the line that says why, and the way back when the
 * processor refuses what our checks passed. SDM "VM Entries".
 */

#include "arch/x86.h"
#include "drivers/console.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/windows.h"

void switch_report_refusal(const struct entry_failure *failure)
{
	count(COUNTER_ENTRY_REFUSALS);
	log_info("VM entry refused: %s (%s = 0x%lx) - SDM \"%s\"", failure->rule,
		 vmcs_fields[failure->field.index].name, failure->value, failure->section);
}

struct entry_context switch_entry_context(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	return (struct entry_context){
		.vmcs12 = nested->current->vmcs12,
		.caps = &nested->offered,
		.memory = nested->memory,
		.vmcs12_address = l1_gpa(nested->current->address),
		.l1_in_long_mode = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_IA32_EFER) & EFER_LMA,
		.l1_cr4 = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR4),
	};
}

/* vmcs01 is current. Usually something in memory changed since the checks passed; they can name it now. */
static void explain_vmfail(struct vcpu *vcpu, u64 error)
{
	const struct entry_context context = switch_entry_context(vcpu);
	struct entry_failure failure;

	check_forget(&vcpu->nested->current->memo);
	if (!check_controls(&context, &failure) || !check_host(&context, &failure)) {
		switch_report_refusal(&failure);
		return;
	}
	count(COUNTER_ENTRY_REFUSALS);
	log_info("VM entry refused by the processor, error %lu: a check that Testudo lacks", error);
}

struct insn_result switch_unwind_entry(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 error = vmcs_read(&nested->current->vmcs02, VMCS_VM_INSTRUCTION_ERROR);

	windows_forget(vcpu);
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	vmcs_load(&vcpu->vmcs01);
	explain_vmfail(vcpu, error);
	return insn_fail(true, error == VMERR_HOST_STATE ? VMERR_HOST_STATE : VMERR_CONTROLS);
}

void switch_explain_refusal(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested_slot *slot = vcpu->nested->current;
	struct entry_context context;
	struct entry_failure failure;

	if (exit->basic == EXIT_MSR_LOADING) {
		log_info("VM entry refused: VM-entry MSR-load list, entry %lu - SDM \"Loading MSRs\"", exit->qualification);
		count(COUNTER_ENTRY_REFUSALS);
		return;
	}
	if (exit->basic == EXIT_MACHINE_CHECK_ENTRY) { /* nobody's fault: L1's to look into */
		log_info("VM entry to L2 failed by a machine check - SDM \"Machine-Check Events During VM Entry\"");
		return;
	}
	slots_fetch_rare(vcpu, slot);
	vmcs_load(&vcpu->vmcs01);
	context = switch_entry_context(vcpu);
	if (!check_guest(&context, &failure)) {
		switch_report_refusal(&failure);
	} else {
		log_info("VM entry refused by the processor: guest state, qualification %lu: a check that Testudo lacks",
			 exit->qualification);
		count(COUNTER_ENTRY_REFUSALS);
	}
	vmcs_load(vcpu->running);
}
