/* SPDX-License-Identifier: MIT */
/*
 * What the files of entry checks share: the shape of a check, the loop over
 * them, and the questions that many of them ask. Private to check_*.c. Pure.
 */
#pragma once

#include "arch/x86.h"
#include "vmx/insn_info.h"
#include "vmx/nested/check.h"

/* True when the rule holds. `which` is the row's own: a segment, say. */
typedef bool entry_predicate(const struct entry_context *context, u32 which);

struct entry_check {
	entry_predicate *holds;
	u32 which;
	vmcs_field field;		/* shows the violation */
	const char *rule;		/* what is wrong when it does not hold */
	u16 number;			/* an interface, docs/refusals.md: for ever the rule's own */
	u8 qualification;
};

/* The checks under one heading of the SDM, in its order. */
struct entry_section {
	const char *title;
	const struct entry_check *checks;
	u32 count;
	u16 result;			/* enum refusal_result */
};

/* A row: its number, the rule and what it is asked about, the field that shows it, what is wrong when it does not hold. */
#define CHECK_WHOLE(row_number, predicate, which_one, field_name, rule_text, qualification_value) \
	{ .holds = predicate, .which = which_one, .field = VMCS_FIELD(field_name), .rule = rule_text, .number = row_number, \
	  .qualification = qualification_value }
#define CHECK_OF(row_number, predicate, which_one, field_name, rule_text) \
	CHECK_WHOLE(row_number, predicate, which_one, field_name, rule_text, 0)
#define CHECK(row_number, predicate, field_name, rule_text) CHECK_WHOLE(row_number, predicate, 0, field_name, rule_text, 0)
#define CHECK_QUALIFIED(row_number, predicate, field_name, rule_text, qualification_value) \
	CHECK_WHOLE(row_number, predicate, 0, field_name, rule_text, qualification_value)

#define SECTION(result_kind, section_title, checks_array) \
	{ .title = section_title, .checks = checks_array, .count = array_size(checks_array), .result = result_kind }

/* True when all hold; else `failure` tells of the first that does not. */
bool check_section(const struct entry_section *section, const struct entry_context *context,
		   struct entry_failure *failure) must_check;

static inline u64 get(const struct entry_context *context, vmcs_field field)
{
	return vmcs12_get(context->vmcs12, field);
}

/* The value `distance` rows below that of `field`: the next segment, say. */
static inline u64 get_below(const struct entry_context *context, vmcs_field field, u32 distance)
{
	return context->vmcs12->fields.value[field.index + distance];
}

static inline bool has(const struct entry_context *context, enum control_word word, u32 mask)
{
	return vmcs12_has(context->vmcs12, word, mask);
}

/* Does the address leave all bits beyond the physical-address width clear? */
static inline bool is_physical(const struct entry_context *context, u64 address)
{
	return (address >> context->caps->physical_address_bits) == 0;
}

static inline bool is_physical_page(const struct entry_context *context, u64 address)
{
	return (address & PAGE_MASK) == 0 && is_physical(context, address);
}

/* SDM "Canonical Addressing": bases and MSRs go by the width the processor supports, not by CR4.LA57. */
static inline bool is_canonical_base(const struct entry_context *context, u64 address)
{
	return is_canonical(address, context->caps->linear_address_bits);
}

/* A secondary control counts as in vmcs12_has. */
static inline bool is_unrestricted(const struct entry_context *context)
{
	return has(context, WORD_PROC2, PROC2_UNRESTRICTED_GUEST);
}

static inline bool is_ia32e_guest(const struct entry_context *context)
{
	return has(context, WORD_ENTRY, ENTRY_IA32E_MODE_GUEST);
}

/* SDM "Page Attribute Table (PAT)": every byte one of UC, WC, WT, WP, WB, UC-. */
bool check_is_pat_valid(u64 pat);

/* SDM "Restrictions on VMX Operation": the bits that must be 1 are, or those that must be 0; `free` ones excepted. */
bool check_fixed_to_1(u64 value, u64 fixed0, u64 free);
bool check_fixed_to_0(u64 value, u64 fixed1, u64 free);

/* Reserved bits of CR3. SDM "Checks on Host Control Registers, MSRs, and SSP". */
bool check_is_cr3_valid(const struct entry_context *context, u64 cr3);

/* Reserved bits of a control word: those that must be 1, those that must be 0. `which` is the enum control_word. */
entry_predicate check_required_are_set, check_reserved_are_clear;

/* All sections that VM entry asks, in its order; and the one that only the processor asks, if it does. */
extern const struct entry_section *const check_order[];
extern const u32 check_order_count;

/* The sections, file by file. */
extern const struct entry_section check_execution_section, check_exit_section, check_entry_section;
extern const struct entry_section check_host_registers_section, check_host_segments_section, check_address_space_section;
extern const struct entry_section check_guest_registers_section, check_guest_segments_section, check_guest_tables_section;
extern const struct entry_section check_guest_rip_section, check_guest_non_register_section, check_link_pointer_section,
	check_guest_pdptes_section, check_left_to_processor_section;
