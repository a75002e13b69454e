/* SPDX-License-Identifier: MIT */
/*
 * Checks on the VM-exit and VM-entry control fields, event injection included,
 * and the order of all checks on controls. A failure is VMfail 7. SDM "Checks
 * on VMX Controls". Pure.
 */
#include "vmx/events.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/msr_lists.h"

/* --- VM-exit controls ----------------------------------------------------- */

static bool save_timer(const struct entry_context *context, maybe_unused u32 which)
{
	return has(context, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER) || !has(context, WORD_EXIT, EXIT_SAVE_PREEMPTION_TIMER);
}

/* The three MSR areas. */
enum { EXIT_STORE, EXIT_LOAD, ENTRY_LOAD };

static u64 msr_count(const struct entry_context *context, u32 which)
{
	static const vmcs_field fields[] = { VMCS_FIELD(EXIT_MSR_STORE_COUNT), VMCS_FIELD(EXIT_MSR_LOAD_COUNT),
					     VMCS_FIELD(ENTRY_MSR_LOAD_COUNT) };

	return get(context, fields[which]);
}

/* The last byte too, in arithmetic wider than the physical-address width. */
static bool msr_area(const struct entry_context *context, u32 which)
{
	u64 address = get_below(context, VMCS_EXIT_MSR_STORE_ADDRESS, which), count = msr_count(context, which);

	if (count == 0)
		return true;
	return (address & BITS(3, 0)) == 0 && is_physical(context, address) &&
	       is_physical(context, address + count * sizeof(struct msr_entry) - 1);
}

/*
 * Departs from SDM "VM-Exit Controls for MSRs": a count above the recommended
 * maximum gives unpredictable behaviour there; here the entry is refused.
 */
static bool msr_limit(const struct entry_context *context, u32 which)
{
	return msr_count(context, which) <= caps_msr_list_limit(context->caps);
}

static const struct entry_check exit_checks[] = {
	CHECK_OF(check_required_are_set, WORD_EXIT, EXIT_CONTROLS, "VM-exit controls: a bit that must be 1 is 0"),
	CHECK_OF(check_reserved_are_clear, WORD_EXIT, EXIT_CONTROLS,
		 "VM-exit controls: a bit is 1 that is reserved or not offered"),
	CHECK(save_timer, EXIT_CONTROLS, "save VMX-preemption timer value without the timer being activated"),
	CHECK_OF(msr_area, EXIT_STORE, EXIT_MSR_STORE_ADDRESS, "VM-exit MSR-store area: not 16-byte aligned within the width"),
	CHECK_OF(msr_limit, EXIT_STORE, EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count: more than IA32_VMX_MISC recommends"),
	CHECK_OF(msr_area, EXIT_LOAD, EXIT_MSR_LOAD_ADDRESS, "VM-exit MSR-load area: not 16-byte aligned within the width"),
	CHECK_OF(msr_limit, EXIT_LOAD, EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count: more than IA32_VMX_MISC recommends"),
};

static_assert(VMCS_INDEX_EXIT_MSR_LOAD_ADDRESS == VMCS_INDEX_EXIT_MSR_STORE_ADDRESS + EXIT_LOAD &&
		      VMCS_INDEX_ENTRY_MSR_LOAD_ADDRESS == VMCS_INDEX_EXIT_MSR_STORE_ADDRESS + ENTRY_LOAD,
	      "msr_area counts rows");

/* --- VM-entry controls ---------------------------------------------------- */

#define INTERRUPTION_RESERVED BITS(30, 12)
#define ERROR_CODE_RESERVED BITS(31, 16)
#define INSTRUCTION_LENGTH_MAX 15

static u64 information(const struct entry_context *context)
{
	return get(context, VMCS_ENTRY_INTERRUPTION_INFORMATION);
}

static bool injects(const struct entry_context *context)
{
	return (information(context) & INTERRUPTION_VALID) != 0;
}

static bool event_type(const struct entry_context *context, maybe_unused u32 which)
{
	u32 type = (u32)interruption_type(information(context));

	if (!injects(context) || (type != 1 && type != INTERRUPTION_OTHER_EVENT))
		return true;
	return type == INTERRUPTION_OTHER_EVENT && caps_allow(context->caps, WORD_PROC, PROC_MONITOR_TRAP_FLAG);
}

static bool event_vector(const struct entry_context *context, maybe_unused u32 which)
{
	u64 vector = information(context) & INTERRUPTION_VECTOR;

	if (!injects(context))
		return true;
	switch (interruption_type(information(context))) {
	case INTERRUPTION_NMI:
		return vector == VECTOR_NMI;
	case INTERRUPTION_HARDWARE_EXCEPTION:
		return vector <= 31;
	case INTERRUPTION_OTHER_EVENT:
		return vector == 0;
	case INTERRUPTION_EXTERNAL:
	case INTERRUPTION_SOFTWARE_INTERRUPT:
	case INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION:
	case INTERRUPTION_SOFTWARE_EXCEPTION:
		break;
	}
	return true;
}

/* Does the exception push an error code on this processor? #CP exists only where CR4.CET does. */
static bool vector_has_error_code(const struct entry_context *context, u8 vector)
{
	return exception_has_error_code(vector) && (vector != VECTOR_CP || (context->caps->cr4_fixed1 & CR4_CET) != 0);
}

static bool event_error_code(const struct entry_context *context, maybe_unused u32 which)
{
	u64 word = information(context);
	bool delivers = (word & INTERRUPTION_DELIVER_ERROR_CODE) != 0;
	bool protected_mode = !is_unrestricted(context) || (get(context, VMCS_GUEST_CR0) & CR0_PE) != 0;

	if (!injects(context))
		return true;
	if (interruption_type(word) != INTERRUPTION_HARDWARE_EXCEPTION || !protected_mode)
		return !delivers;
	/* SDM "Basic VMX Information": bit 56 leaves it to software. */
	return (context->caps->basic & VMX_BASIC_ANY_ERROR_CODE) != 0 ||
	       delivers == vector_has_error_code(context, (u8)(word & INTERRUPTION_VECTOR));
}

static bool event_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context) || (information(context) & INTERRUPTION_RESERVED) == 0;
}

static bool error_code_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context) || (information(context) & INTERRUPTION_DELIVER_ERROR_CODE) == 0 ||
	       (get(context, VMCS_ENTRY_EXCEPTION_ERROR_CODE) & ERROR_CODE_RESERVED) == 0;
}

static bool instruction_length(const struct entry_context *context, maybe_unused u32 which)
{
	u64 length = get(context, VMCS_ENTRY_INSTRUCTION_LENGTH);

	if (!injects(context) || !interruption_has_length(information(context)))
		return true;
	return length <= INSTRUCTION_LENGTH_MAX && (length != 0 || (context->caps->misc & VMX_MISC_INJECT_ZERO_LENGTH) != 0);
}

/* "Entry to SMM" and "deactivate dual-monitor treatment" are never offered, so they fail as reserved bits. */
static const struct entry_check entry_checks[] = {
	CHECK_OF(check_required_are_set, WORD_ENTRY, ENTRY_CONTROLS, "VM-entry controls: a bit that must be 1 is 0"),
	CHECK_OF(check_reserved_are_clear, WORD_ENTRY, ENTRY_CONTROLS,
		 "VM-entry controls: a bit is 1 that is reserved or not offered"),
	CHECK(event_type, ENTRY_INTERRUPTION_INFORMATION, "injected event: reserved interruption type"),
	CHECK(event_vector, ENTRY_INTERRUPTION_INFORMATION, "injected event: vector does not fit the interruption type"),
	CHECK(event_error_code, ENTRY_INTERRUPTION_INFORMATION, "injected event: deliver-error-code does not fit the event"),
	CHECK(event_reserved, ENTRY_INTERRUPTION_INFORMATION, "injected event: bits 30:12 are not 0"),
	CHECK(error_code_reserved, ENTRY_EXCEPTION_ERROR_CODE, "injected event: bits 31:16 of the error code are not 0"),
	CHECK(instruction_length, ENTRY_INSTRUCTION_LENGTH, "injected software event: instruction length not in 1-15"),
	CHECK_OF(msr_area, ENTRY_LOAD, ENTRY_MSR_LOAD_ADDRESS, "VM-entry MSR-load area: not 16-byte aligned within the width"),
	CHECK_OF(msr_limit, ENTRY_LOAD, ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count: more than IA32_VMX_MISC recommends"),
};

const struct entry_section check_exit_section = SECTION("VM-Exit Control Fields", exit_checks);
const struct entry_section check_entry_section = SECTION("VM-Entry Control Fields", entry_checks);

bool check_controls(const struct entry_context *context, struct entry_failure *failure)
{
	return check_section(&check_execution_section, context, failure) && check_section(&check_exit_section, context, failure) &&
	       check_section(&check_entry_section, context, failure);
}
