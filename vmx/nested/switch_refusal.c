/* SPDX-License-Identifier: MIT */
/*
 * VM entries that are refused: the record and the line that say why, and the way
 * back when the processor refuses what our checks passed. SDM "VM Entries".
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/windows.h"

static void print_refusal(const struct entry_failure *failure, enum refusal_line line, u32 times)
{
	const char *field = vmcs_fields[failure->field.index].name;

	if (line == REFUSAL_WHOLE)
		log_info("VM entry refused: %s (%s = 0x%lx) - SDM \"%s\" [rule %u]", failure->rule, field, failure->value,
			 failure->section, failure->number);
	else if (line == REFUSAL_AGAIN)
		log_info("VM entry refused, %u times by now: %s (%s = 0x%lx) [rule %u]", times, failure->rule, field,
			 failure->value, failure->number);
}

void switch_report_refusal(struct vcpu *vcpu, const struct entry_failure *failure)
{
	struct nested *nested = vcpu->nested;
	u32 times;
	enum refusal_line line = refusal_note(&nested->refusals, failure, nested->current->address, rdtsc(), &times);

	count(COUNTER_ENTRY_REFUSALS);
	if (unlikely(nested->tracing))
		trace_ring_put(&vcpu->trace.ring, refusal_recent(&nested->refusals, 0));
	if (vcpu->machine->handoff->show_refusals)
		print_refusal(failure, line, times);
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
	};
}

/* vmcs01 is current. Usually something in memory changed since the checks passed; they can name it now. */
static void explain_vmfail(struct vcpu *vcpu, u64 error)
{
	const struct entry_context context = switch_entry_context(vcpu);
	struct entry_failure failure;

	check_forget(&vcpu->nested->current->memo);
	if (check_controls(&context, &failure) && check_host(&context, &failure))
		failure = refusal_other(error == VMERR_HOST_STATE ? RULE_LACKING_HOST : RULE_LACKING_CONTROLS, error, 0);
	switch_report_refusal(vcpu, &failure);
}

struct insn_result switch_unwind_entry(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 error = vmcs_read(&nested->current->vmcs02, VMCS_VM_INSTRUCTION_ERROR);

	windows_forget(vcpu);
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	nested->current->quick.ready = false;
	if (nested->current->quick.entered && nested->shadowing)
		vmcs_clear(&nested->current->shadow); /* it is active, and L1 has it linked */
	quick_settle(vcpu, nested->current);
	vmcs_load(&vcpu->vmcs01);
	explain_vmfail(vcpu, error);
	return insn_fail(true, error == VMERR_HOST_STATE ? VMERR_HOST_STATE : VMERR_CONTROLS);
}

/* Which MSR it was: read again from L1's list, whose copy may have been bent to be refused. */
static void explain_msr_load(struct vcpu *vcpu, u64 number)
{
	struct nested *nested = vcpu->nested;
	u64 list = vmcs12_get(nested->current->vmcs12, VMCS_ENTRY_MSR_LOAD_ADDRESS);
	struct entry_failure failure = refusal_other(RULE_MSR_LOAD, number, number);
	struct msr_entry entry;

	switch_report_refusal(vcpu, &failure);
	msr_list_read(nested->memory, l1_gpa(list + (number - 1) * sizeof(entry)), 1, &entry);
	log_debug("entry %lu is MSR 0x%x = 0x%lx, bits 63:32 0x%x", number, entry.index, entry.value, entry.reserved);
}

void switch_explain_refusal(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested_slot *slot = vcpu->nested->current;
	struct entry_context context;
	struct entry_failure failure;

	if (exit->basic == EXIT_MSR_LOADING) {
		explain_msr_load(vcpu, exit->qualification);
		return;
	}
	if (exit->basic == EXIT_MACHINE_CHECK_ENTRY) { /* nobody's fault: L1's to look into */
		log_info("VM entry to L2 failed by a machine check - SDM \"Machine-Check Events During VM Entry\"");
		return;
	}
	slots_fetch_rare(vcpu, slot);
	vmcs_load(&vcpu->vmcs01);
	context = switch_entry_context(vcpu);
	if (check_guest(&context, &failure) && check_left_to_processor(&context, &failure))
		failure = refusal_other(RULE_LACKING_GUEST, exit->qualification, exit->qualification);
	switch_report_refusal(vcpu, &failure);
	vmcs_load(vcpu->running);
}
