/* SPDX-License-Identifier: MIT */
/*
 * Checks on the VM-exit and VM-entry control fields, event injection included.
 * A failure is VMfail 7. SDM "Checks on VMX Controls". Pure.
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
	CHECK_OF(200, check_required_are_set, WORD_EXIT, EXIT_CONTROLS, "VM-exit controls: a bit that must be 1 is 0"),
	CHECK_OF(201, check_reserved_are_clear, WORD_EXIT, EXIT_CONTROLS,
		 "VM-exit controls: a bit is 1 that is reserved or not offered"),
	CHECK(202, save_timer, EXIT_CONTROLS, "save VMX-preemption timer value without the timer being activated"),
	CHECK_OF(203, msr_area, EXIT_STORE, EXIT_MSR_STORE_ADDRESS,
		 "VM-exit MSR-store area: not 16-byte aligned, or beyond the physical-address width"),
	CHECK_OF(204, msr_limit, EXIT_STORE, EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count: more than IA32_VMX_MISC recommends"),
	CHECK_OF(205, msr_area, EXIT_LOAD, EXIT_MSR_LOAD_ADDRESS,
		 "VM-exit MSR-load area: not 16-byte aligned, or beyond the physical-address width"),
	CHECK_OF(206, msr_limit, EXIT_LOAD, EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count: more than IA32_VMX_MISC recommends"),
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

static bool is_type(const struct entry_context *context, enum interruption_type type)
{
	return injects(context) && interruption_type(information(context)) == type;
}

static u64 vector_of(const struct entry_context *context)
{
	return information(context) & INTERRUPTION_VECTOR;
}

static bool event_type(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context) || (u32)interruption_type(information(context)) != 1;
}

static bool event_other(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_type(context, INTERRUPTION_OTHER_EVENT) || caps_allow(context->caps, WORD_PROC, PROC_MONITOR_TRAP_FLAG);
}

static bool nmi_vector(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_type(context, INTERRUPTION_NMI) || vector_of(context) == VECTOR_NMI;
}

static bool exception_vector(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_type(context, INTERRUPTION_HARDWARE_EXCEPTION) || vector_of(context) <= 31;
}

static bool other_vector(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_type(context, INTERRUPTION_OTHER_EVENT) || vector_of(context) == 0;
}

/* Does the exception push an error code on this processor? #CP exists only where CR4.CET does. */
static bool vector_has_error_code(const struct entry_context *context, u8 vector)
{
	return exception_has_error_code(vector) && (vector != VECTOR_CP || (context->caps->cr4_fixed1 & CR4_CET) != 0);
}

static bool delivers_error_code(const struct entry_context *context)
{
	return injects(context) && (information(context) & INTERRUPTION_DELIVER_ERROR_CODE) != 0;
}

static bool in_protected_mode(const struct entry_context *context)
{
	return !is_unrestricted(context) || (get(context, VMCS_GUEST_CR0) & CR0_PE) != 0;
}

/* SDM "Basic VMX Information": bit 56 leaves it to software whether an exception has an error code. */
static bool is_left_to_software(const struct entry_context *context)
{
	return (context->caps->basic & VMX_BASIC_ANY_ERROR_CODE) != 0;
}

static bool error_code_of_exception(const struct entry_context *context, maybe_unused u32 which)
{
	return !delivers_error_code(context) || is_type(context, INTERRUPTION_HARDWARE_EXCEPTION);
}

static bool error_code_in_protected_mode(const struct entry_context *context, maybe_unused u32 which)
{
	return !delivers_error_code(context) || in_protected_mode(context);
}

static bool error_code_of_vector(const struct entry_context *context, maybe_unused u32 which)
{
	return !delivers_error_code(context) || is_left_to_software(context) ||
	       vector_has_error_code(context, (u8)vector_of(context));
}

static bool error_code_missing(const struct entry_context *context, maybe_unused u32 which)
{
	if (!is_type(context, INTERRUPTION_HARDWARE_EXCEPTION) || delivers_error_code(context) || !in_protected_mode(context))
		return true;
	return is_left_to_software(context) || !vector_has_error_code(context, (u8)vector_of(context));
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
	CHECK_OF(220, check_required_are_set, WORD_ENTRY, ENTRY_CONTROLS, "VM-entry controls: a bit that must be 1 is 0"),
	CHECK_OF(221, check_reserved_are_clear, WORD_ENTRY, ENTRY_CONTROLS,
		 "VM-entry controls: a bit is 1 that is reserved or not offered"),
	CHECK(222, event_type, ENTRY_INTERRUPTION_INFORMATION, "injected event: interruption type 1 is reserved"),
	CHECK(223, event_other, ENTRY_INTERRUPTION_INFORMATION, "injected event: type other event without the monitor trap flag offered"),
	CHECK(224, nmi_vector, ENTRY_INTERRUPTION_INFORMATION, "injected event: an NMI whose vector is not 2"),
	CHECK(225, exception_vector, ENTRY_INTERRUPTION_INFORMATION, "injected event: a hardware exception whose vector is above 31"),
	CHECK(226, other_vector, ENTRY_INTERRUPTION_INFORMATION, "injected event: type other event with a vector that is not 0"),
	CHECK(227, error_code_of_exception, ENTRY_INTERRUPTION_INFORMATION,
	      "injected event: an error code with what is no hardware exception"),
	CHECK(228, error_code_in_protected_mode, ENTRY_INTERRUPTION_INFORMATION, "injected event: an error code in real mode"),
	CHECK(229, error_code_of_vector, ENTRY_INTERRUPTION_INFORMATION, "injected event: an error code with an exception that has none"),
	CHECK(230, error_code_missing, ENTRY_INTERRUPTION_INFORMATION, "injected event: no error code with an exception that has one"),
	CHECK(231, event_reserved, ENTRY_INTERRUPTION_INFORMATION, "injected event: bits 30:12 are not 0"),
	CHECK(232, error_code_reserved, ENTRY_EXCEPTION_ERROR_CODE, "injected event: bits 31:16 of the error code are not 0"),
	CHECK(233, instruction_length, ENTRY_INSTRUCTION_LENGTH,
	      "injected software event: instruction length above 15, or 0 where that is not offered"),
	CHECK_OF(234, msr_area, ENTRY_LOAD, ENTRY_MSR_LOAD_ADDRESS,
		 "VM-entry MSR-load area: not 16-byte aligned, or beyond the physical-address width"),
	CHECK_OF(235, msr_limit, ENTRY_LOAD, ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count: more than IA32_VMX_MISC recommends"),
};

const struct entry_section check_exit_section = SECTION(REFUSAL_CONTROLS, "VM-Exit Control Fields", exit_checks);
const struct entry_section check_entry_section = SECTION(REFUSAL_CONTROLS, "VM-Entry Control Fields", entry_checks);
