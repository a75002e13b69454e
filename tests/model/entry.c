/* SPDX-License-Identifier: MIT */
/*
 * VM entries and VM exits of the model's processor. SDM "VM Entries", "VM Exits". What
 * hardware checks is asked of vmx/nested/check_*.c with the processor's own
 * capabilities, which other tests prove against the SDM.
 */
#include <string.h>

#include "arch/x86.h"
#include "tests/model/model.h"
#include "tests/model/oracles.h"
#include "vmx/nested/check.h"

static struct vmcs12 vmcs;	/* the current VMCS, as the checks want to see it */

static u64 get(vmcs_field field)
{
	return *processor_field(field);
}

static struct entry_context context(void)
{
	static const struct l1_memory physical = { .physical_address_bits = 52 };
	static struct l1_memory memory;

	memory = physical;
	memory.physical_address_bits = processor.caps.physical_address_bits;
	vmcs.fields = processor.current->fields;
	return (struct entry_context){
		.vmcs12 = &vmcs, .caps = &processor.caps, .memory = &memory, .vmcs12_address = l1_gpa(processor.current->address),
		.l1_in_long_mode = true,
	};
}

static bool has(enum control_word word, u32 mask)
{
	vmcs.fields = processor.current->fields;
	return vmcs12_has(&vmcs, word, mask);
}

/* Entries and exits without a VPID leave nothing behind under VPID 0. */
static void flush_without_vpid(void)
{
	if (!has(WORD_PROC2, PROC2_ENABLE_VPID))
		tlb_flush_vpid(&processor.tlb, 0);
}

/* An exit before the guest has run: the entry has failed, and only reason and qualification are recorded. */
static u64 fail_entry(u32 basic, u64 qualification)
{
	*processor_field(VMCS_EXIT_REASON) = basic | EXIT_REASON_ENTRY_FAILURE;
	*processor_field(VMCS_EXIT_QUALIFICATION) = qualification;
	processor.entry_failures++;
	processor.exit_pending = true;
	return ENTRY_EXITED;
}

static u64 vmfail(u32 error, const char *rule)
{
	*processor_field(VMCS_VM_INSTRUCTION_ERROR) = error;
	processor.refused_rule = rule;
	processor.vmfails++;
	return ENTRY_FAILED_VALID;
}

/* SDM "Loading MSRs": the number of the entry that cannot be loaded, or 0. */
static u32 load_msrs(void)
{
	u64 at = get(VMCS_ENTRY_MSR_LOAD_ADDRESS);

	for (u32 i = 0; i < get(VMCS_ENTRY_MSR_LOAD_COUNT); i++, at += sizeof(struct msr_entry)) {
		const struct msr_entry *entry = phys_to_ptr(hpa(at));
		bool refused = entry->index == IA32_FS_BASE || entry->index == IA32_GS_BASE || entry->reserved ||
			       entry->index == IA32_SMM_MONITOR_CTL;
		u64 value = entry->value;

		if (refused || !processor_msr(entry->index) || (value & ~processor_msr(entry->index)->may_be_1))
			return i + 1;
		processor_msr(entry->index)->value = value;
	}
	return 0;
}

/* An exit after event injection and before the first instruction. */
static void exit_at_once(void)
{
	struct model_exit exit = { 0 };

	if (processor.init_pending && get(VMCS_GUEST_ACTIVITY_STATE) != ACTIVITY_WAIT_FOR_SIPI) {
		processor.init_pending = false;
		exit.reason = EXIT_INIT_SIGNAL;
	} else if ((get(VMCS_ENTRY_INTERRUPTION_INFORMATION) & (INTERRUPTION_VALID | INTERRUPTION_TYPE)) ==
	    (INTERRUPTION_VALID | (u64)INTERRUPTION_OTHER_EVENT << 8)) {
		exit.reason = EXIT_MONITOR_TRAP_FLAG;
	} else if (has(WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER) && get(VMCS_PREEMPTION_TIMER_VALUE) == 0 &&
		   get(VMCS_GUEST_ACTIVITY_STATE) != ACTIVITY_WAIT_FOR_SIPI) {
		exit.reason = EXIT_PREEMPTION_TIMER;
	} else {
		return;
	}
	processor_exit(&exit);
	processor.exit_pending = true;
}

/* L1's VMCS is another after an exit from L2; otherwise it changes little, and L1 enters often. */
static bool is_to_be_checked(void)
{
	return model_in_l2() || oracles_l1_is_new() || processor.entries % 16 == 0;
}

static u64 enter_guest(void)
{
	const struct entry_context now = context();
	struct entry_failure failure;
	bool checked = is_to_be_checked();
	u32 bad_msr;

	if (checked && !check_controls(&now, &failure))
		return vmfail(VMERR_CONTROLS, failure.rule);
	if (checked && !check_host(&now, &failure))
		return vmfail(VMERR_HOST_STATE, failure.rule);
	if (checked && !check_guest(&now, &failure))
		return fail_entry(EXIT_INVALID_GUEST_STATE, failure.qualification);
	flush_without_vpid();
	protection_load();
	bad_msr = load_msrs();
	if (bad_msr)
		return fail_entry(EXIT_MSR_LOADING, bad_msr);
	if (processor.fail_with && model_in_l2()) {
		bad_msr = processor.fail_with;
		processor.fail_with = 0;
		return fail_entry(bad_msr, 0);
	}
	processor.current->launched = true;
	processor.in_guest = true;
	processor.injected = get(VMCS_ENTRY_INTERRUPTION_INFORMATION);
	processor.injected_error_code = (u32)get(VMCS_ENTRY_EXCEPTION_ERROR_CODE);
	exit_at_once();
	return ENTRY_EXITED;
}

/* What the guest reads and writes without an exit is in memory: SDM "Software Use of VMCSs and Related Structures". */
static bool linked_is_clear(void)
{
	u64 link = get(VMCS_VMCS_LINK_POINTER);
	const struct model_region *linked = link == ~UINT64_C(0) ? NULL : processor_region(link);

	return !has(WORD_PROC2, PROC2_VMCS_SHADOWING) || !linked || !linked->active;
}

u64 vcpu_enter(struct regs *regs, bool launched)
{
	u32 error = processor.refuse_with;

	require(regs == &model.vcpu.regs);
	if (model.cpu.nmi_pending || model.cpu.locks_held)
		return ENTRY_NMI;
	require(processor.current && !processor.current->shadow && processor.current->launched == launched);
	require(!processor.exit_pending && !processor.in_guest);
	require(linked_is_clear());
	processor.entries++;
	oracles_at_entry();
	if (error && model_in_l2()) {
		processor.refuse_with = 0;
		return vmfail(error, "because the test wants it so");
	}
	return enter_guest();
}

void vcpu_exit(void)
{
}

/* --- exits ------------------------------------------------------------------------ */

static void save_entry_controls(void)
{
	u64 *entry = processor_field(VMCS_ENTRY_CONTROLS);

	*processor_field(VMCS_ENTRY_INTERRUPTION_INFORMATION) &= ~INTERRUPTION_VALID;
	if (!has(WORD_PROC2, PROC2_UNRESTRICTED_GUEST))
		return;
	*entry &= ~(u64)ENTRY_IA32E_MODE_GUEST;
	if (get(VMCS_GUEST_IA32_EFER) & EFER_LMA)
		*entry |= ENTRY_IA32E_MODE_GUEST;
}

void processor_exit(const struct model_exit *exit)
{
	require(processor.in_guest);
	*processor_field(VMCS_EXIT_REASON) = exit->reason;
	*processor_field(VMCS_EXIT_QUALIFICATION) = exit->qualification;
	*processor_field(VMCS_EXIT_INTERRUPTION_INFORMATION) = exit->interruption_information;
	*processor_field(VMCS_EXIT_INTERRUPTION_ERROR_CODE) = exit->error_code;
	*processor_field(VMCS_IDT_VECTORING_INFORMATION) = exit->vectoring_information;
	*processor_field(VMCS_IDT_VECTORING_ERROR_CODE) = exit->vectoring_error_code;
	*processor_field(VMCS_EXIT_INSTRUCTION_LENGTH) = exit->length;
	*processor_field(VMCS_EXIT_INSTRUCTION_INFORMATION) = exit->instruction_information;
	*processor_field(VMCS_GUEST_LINEAR_ADDRESS) = exit->linear;
	*processor_field(VMCS_GUEST_PHYSICAL_ADDRESS) = exit->physical;
	save_entry_controls();
	protection_save();
	flush_without_vpid();
	/* Lists that hardware carries out at an exit are L0's alone: there are none. */
	require(get(VMCS_EXIT_MSR_STORE_COUNT) == 0 && get(VMCS_EXIT_MSR_LOAD_COUNT) == 0);
	processor.in_guest = false;
}
