/* SPDX-License-Identifier: MIT */
/*
 * The record of refused VM entries, and what of it is worth a line. It prints
 * nothing and decides no rule. Pure.
 */
#include "vmx/nested/refusal.h"

#include "arch/bits.h"
#include "vmx/nested/insn.h"

const struct entry_failure refusal_others[] = {
	{ .number = RULE_LACKING_CONTROLS, .result = REFUSAL_CONTROLS, .field = VMCS_FIELD(VM_INSTRUCTION_ERROR),
	  .rule = "the processor refused the controls, and Testudo lacks the check that says why",
	  .section = "Checks on VMX Controls" },
	{ .number = RULE_LACKING_HOST, .result = REFUSAL_HOST, .field = VMCS_FIELD(VM_INSTRUCTION_ERROR),
	  .rule = "the processor refused the host state, and Testudo lacks the check that says why",
	  .section = "Checks on the Host-State Area" },
	{ .number = RULE_LACKING_GUEST, .result = REFUSAL_GUEST, .field = VMCS_FIELD(EXIT_QUALIFICATION),
	  .rule = "the processor refused the guest state, and Testudo lacks the check that says why",
	  .section = "Checks on the Guest State Area" },
	{ .number = RULE_MSR_LOAD, .result = REFUSAL_MSRS, .field = VMCS_FIELD(EXIT_QUALIFICATION),
	  .rule = "VM-entry MSR-load area: the entry of this number may not be loaded", .section = "Loading MSRs" },
	{ .number = RULE_PDPTES_IN_MEMORY, .result = REFUSAL_GUEST, .field = VMCS_FIELD(GUEST_CR3),
	  .rule = "guest CR3: a PDPTE in memory there is present with a reserved bit that is 1",
	  .section = "Checks on Guest Page-Directory-Pointer-Table Entries", .qualification = ENTRY_FAIL_PDPTE },
};

const u32 refusal_others_count = array_size(refusal_others);

struct entry_failure refusal_other(enum entry_rule rule, u64 value, u64 qualification)
{
	struct entry_failure failure = refusal_others[rule - RULE_LACKING_CONTROLS];

	failure.value = value;
	failure.qualification = qualification;
	return failure;
}

static bool is_power_of_ten(u32 number)
{
	while (number >= 10 && number % 10 == 0)
		number /= 10;
	return number == 1;
}

/* Each new value is news to who searches for the right one, but not for ever. */
static enum refusal_line choose_line(struct refusal_seen *seen, u64 value)
{
	if (seen->lines < REFUSAL_LINES && (seen->times == 1 || value != seen->value)) {
		seen->lines++;
		seen->value = value;
		return REFUSAL_WHOLE;
	}
	return seen->times >= 10 && is_power_of_ten(seen->times) ? REFUSAL_AGAIN : REFUSAL_SILENT;
}

enum refusal_line refusal_note(struct refusal_log *log, const struct entry_failure *failure, u64 vmcs12_address, u64 tsc,
			       u32 *times)
{
	log->record[log->count % REFUSAL_RECORDS] = (struct trace_record){
		.tsc = tsc, .kind = TRACE_ENTRY_REFUSED, .rule = failure->number, .result = failure->result,
		.field = failure->field.encoding, .value = failure->value, .vmcs = vmcs12_address,
		.detail = failure->qualification,
	};
	log->count++;
	return refusal_repeated(log, failure->number, failure->value, times);
}

enum refusal_line refusal_repeated(struct refusal_log *log, u32 number, u64 value, u32 *times)
{
	struct refusal_seen *seen = &log->seen[number % RULE_NUMBERS];

	if (seen->times != UINT32_MAX)
		seen->times++;
	*times = seen->times;
	return choose_line(seen, value);
}

const char *refusal_of_instruction(u32 error)
{
	static const char *const reasons[] = {
		[VMERR_VMCALL_IN_ROOT] = "VMCALL in VMX root operation, where no SMM monitor is",
		[VMERR_VMCLEAR_ADDRESS] = "VMCLEAR or VMXON with an address that is not page aligned, or beyond the physical-address width",
		[VMERR_VMCLEAR_VMXON_POINTER] = "VMCLEAR of the VMXON region",
		[VMERR_VMLAUNCH_NOT_CLEAR] = "VMLAUNCH of a VMCS that is not clear, or of none",
		[VMERR_VMRESUME_NOT_LAUNCHED] = "VMRESUME of a VMCS that has not been launched",
		[VMERR_VMPTRLD_ADDRESS] = "VMPTRLD with an address that is not page aligned, or beyond the physical-address width",
		[VMERR_VMPTRLD_VMXON_POINTER] = "VMPTRLD of the VMXON region",
		[VMERR_VMPTRLD_REVISION] = "VMPTRLD or VMXON of a region with another VMCS revision, or a shadow VMCS where none may be",
		[VMERR_UNSUPPORTED_FIELD] = "VMREAD or VMWRITE of a field that is not offered, or without a current VMCS",
		[VMERR_READ_ONLY_FIELD] = "VMWRITE to a field that may only be read",
		[VMERR_VMXON_IN_ROOT] = "VMXON in VMX root operation",
		[VMERR_MOV_SS] = "VMLAUNCH or VMRESUME right after MOV to SS or POP SS",
		[VMERR_INVALIDATION_OPERAND] = "INVEPT or INVVPID with a type that is not offered, or a wrong descriptor",
	};

	return error < array_size(reasons) && reasons[error] ? reasons[error] : "an error without a name";
}

const struct trace_record *refusal_recent(const struct refusal_log *log, u32 age)
{
	if (age >= REFUSAL_RECORDS || age >= log->count)
		return NULL;
	return &log->record[(log->count - 1 - age) % REFUSAL_RECORDS];
}
