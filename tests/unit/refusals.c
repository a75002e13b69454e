/* SPDX-License-Identifier: MIT */
/*
 * Runs the rows of struct refusal. It compares texts, because the text is what
 * the author of a hypervisor will read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/refusals.h"

static struct builder builder;

static void apply(const struct change *change)
{
	u64 value = vmcs12_get(&builder.vmcs12, change->field);

	switch (change->kind) {
	case NO_CHANGE:
		return;
	case ASSIGN:
		value = change->value;
		break;
	case SET_BITS:
		value |= change->value;
		break;
	case CLEAR_BITS:
		value &= ~change->value;
		break;
	}
	vmcs12_set(&builder.vmcs12, change->field, value);
}

void refusal_run(const struct refusal *refusal, check_function *check)
{
	struct entry_failure failure = { .rule = NULL };
	bool accepted;

	builder_init(&builder, refusal->kind);
	for (u32 i = 0; i < MAX_CHANGES; i++)
		apply(&refusal->changes[i]);
	accepted = check(&builder.context, &failure);
	if (refusal->rule == NULL) {
		if (!accepted)
			print_error("refused: %s\n", failure.rule);
		assert_true(accepted);
		return;
	}
	assert_false(accepted);
	assert_string_equal(failure.rule, refusal->rule);
	assert_true(failure.value == vmcs12_get(&builder.vmcs12, failure.field));
	assert_true(failure.qualification == refusal->qualification);
	assert_non_null(failure.section);
}

void refusals_cover(const struct refusal *refusals, u32 count, const struct entry_section *section)
{
	u32 missing = 0;

	for (u32 i = 0; i < section->count; i++) {
		u32 hits = 0;

		for (u32 j = 0; j < count; j++)
			hits += refusals[j].rule != NULL && strcmp(refusals[j].rule, section->checks[i].rule) == 0;
		if (hits == 0)
			print_error("no case breaks \"%s\"\n", section->checks[i].rule);
		missing += hits == 0;
	}
	assert_int_equal(missing, 0);
}

void refusals_accept_valid(check_function *check)
{
	for (u32 kind = 0; kind < BUILD_KIND_COUNT; kind++) {
		struct entry_failure failure = { .rule = NULL };

		builder_init(&builder, (enum builder_kind)kind);
		/* A 32-bit host is for check_host and its like; the others accept it too. */
		if (!check(&builder.context, &failure))
			fail_msg("kind %u is refused: %s", kind, failure.rule);
	}
}
