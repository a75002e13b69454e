/* SPDX-License-Identifier: MIT */
/*
 * Entry checks one at a time: a valid VMCS, a few fields changed, what VM entry
 * must say to it, and which rule Testudo must name as the reason. The fields are
 * put back afterwards.
 */
#pragma once

#include "tests/guests/insn/insn.h"
#include "tests/guests/lib/vm.h"

struct change {
	enum vmcs_field field; /* 0: none */
	u64 clear, set;
};

#define ENTRY_CHANGES 5

struct entry_case {
	const char *name;
	struct change changes[ENTRY_CHANGES];
	const char *expected;
	bool (*offered)(void);
	u32 rule; /* its number in docs/refusals.md; 0: the entry succeeds */
};

#define ERROR_CONTROLS "VMfailValid 7"
#define ERROR_HOST "VMfailValid 8"
#define EXIT_GUEST(qualification) "exit 33 qualification " #qualification
#define EXIT_MSR(entry) "exit 34 qualification " #entry
#define ENTERED "entered"

#define SET(field, bits) { { field, 0, bits } }
#define CLEAR(field, bits) { { field, bits, 0 } }
#define PUT(field, value) { { field, ~0ull, value } }

/* Makes the guest of the current VMCS a valid one in virtual-8086 mode. */
void entry_make_v8086(void);

/* Runs the cases on vm; group, unless NULL, names the check that it enters at the end. */
void entry_cases(struct vm *vm, const char *group, const struct entry_case *cases, u64 count);
