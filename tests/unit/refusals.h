/* SPDX-License-Identifier: MIT */
/*
 * Tests of entry checks as data: from a valid vmcs12, a few changed fields, and
 * the rule that must refuse them. Shared by test_check_*.c.
 */
#pragma once

#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/check_common.h"

enum change_kind { NO_CHANGE, ASSIGN, SET_BITS, CLEAR_BITS };

struct change {
	enum change_kind kind;
	vmcs_field field;
	u64 value;
};

#define TO(name, new_value) { ASSIGN, VMCS_FIELD(name), new_value }
#define WITH(name, bits) { SET_BITS, VMCS_FIELD(name), bits }
#define WITHOUT(name, bits) { CLEAR_BITS, VMCS_FIELD(name), bits }

#define MAX_CHANGES 5

struct refusal {
	const char *name;		/* a sentence */
	enum builder_kind kind;
	struct change changes[MAX_CHANGES];
	const char *rule;		/* NULL: it must be accepted */
	u64 qualification;
};

typedef bool check_function(const struct entry_context *context, struct entry_failure *failure);

/* Asserts that `check` refuses for exactly that rule, and tells field, value and section. */
void refusal_run(const struct refusal *refusal, check_function *check);

/* Asserts that each rule of the section is broken by one of the refusals. */
void refusals_cover(const struct refusal *refusals, u32 count, const struct entry_section *section);

/* Asserts that every kind of valid vmcs12 passes. */
void refusals_accept_valid(check_function *check);
