/* SPDX-License-Identifier: MIT */
/*
 * The memo of entry checks: it says yes after a pass, no after any change that
 * could matter, and never yes where the rules would say no.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/vmcs12_builder.h"

static struct builder builder;
static struct check_memo memo;

/* With the TPR shadow, so that the threshold matters. */
static void build(enum builder_kind kind)
{
	builder_init(&builder, kind);
	vmcs12_set(&builder.vmcs12, VMCS_PROCESSOR_BASED_CONTROLS,
		   vmcs12_control(&builder.vmcs12, WORD_PROC) | PROC_USE_TPR_SHADOW);
}

static void remember(enum builder_kind kind)
{
	struct entry_failure failure;

	build(kind);
	assert_true(check_controls(&builder.context, &failure) && check_host(&builder.context, &failure));
	memo = (struct check_memo){ .valid = false };
	assert_false(check_is_remembered(&memo, &builder.context));
	check_remember(&memo, &builder.context);
}

static void what_has_not_changed_is_remembered(void **state)
{
	(void)state;
	remember(BUILD_LONG);
	assert_true(check_is_remembered(&memo, &builder.context));
	check_forget(&memo);
	assert_false(check_is_remembered(&memo, &builder.context));
}

static void guest_state_does_not_matter(void **state)
{
	(void)state;
	remember(BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_RIP, 0x1234);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_RFLAGS, 0);
	assert_true(check_is_remembered(&memo, &builder.context));
}

static void l1_in_another_mode_is_not_remembered(void **state)
{
	(void)state;
	remember(BUILD_LONG);
	builder.context.l1_in_long_mode = false;
	assert_false(check_is_remembered(&memo, &builder.context));
}

/* Expect: an event by the rules is remembered, one against them is not. */
static void events_are_looked_at_each_time(void **state)
{
	(void)state;
	remember(BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000020);
	assert_true(check_is_remembered(&memo, &builder.context));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000120);
	assert_false(check_is_remembered(&memo, &builder.context));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x00000120);
	assert_true(check_is_remembered(&memo, &builder.context));
}

/* Open although the table does not say so (shadow_learn_limit), or written by exits. */
static bool is_learnt(u16 row)
{
	return row == VMCS_INDEX_ENTRY_CONTROLS || row == VMCS_INDEX_TSC_OFFSET || row == VMCS_INDEX_EPT_POINTER ||
	       row == VMCS_INDEX_ENTRY_MSR_LOAD_COUNT || row == VMCS_INDEX_EXIT_MSR_LOAD_COUNT;
}

/* Writes a random value to a random field that L1 may write without an exit, or that an exit changes. */
static void change_something(void)
{
	for (;;) {
		const struct vmcs_field_info *info = &vmcs_fields[(u32)random() % VMCS_FIELD_COUNT];
		u64 value = ((u64)random() << 33 ^ (u64)random() << 11 ^ (u64)random()) & vmcs_width_mask(info->field.encoding);

		if (info->shadow != SHADOW_RW && !is_learnt(info->field.index))
			continue;
		/* Near misses are more telling than noise. */
		if (random() & 1)
			value = vmcs12_get(&builder.vmcs12, info->field) ^ (UINT64_C(1) << (random() & 31));
		vmcs12_set(&builder.vmcs12, info->field, value & vmcs_width_mask(info->field.encoding));
		return;
	}
}

/* Expect: in 200,000 changes of what may change unseen, never a yes against the rules. VTPR is hardware's. */
static void the_memo_never_contradicts_the_rules(void **state)
{
	struct entry_failure failure;
	u32 yes = 0;

	(void)state;
	srandom(1);
	for (u32 round = 0; round < 2000; round++) {
		remember((enum builder_kind)(round % BUILD_KIND_COUNT));
		for (u32 i = 0; i < 100; i++) {
			if (i % 4 == 0)
				build((enum builder_kind)(round % BUILD_KIND_COUNT));
			change_something();
			if (!check_is_remembered(&memo, &builder.context))
				continue;
			yes++;
			assert_true(check_controls(&builder.context, &failure));
			assert_true(check_host(&builder.context, &failure));
		}
	}
	assert_true(yes > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_not_changed_is_remembered),
		cmocka_unit_test(guest_state_does_not_matter),
		cmocka_unit_test(l1_in_another_mode_is_not_remembered),
		cmocka_unit_test(events_are_looked_at_each_time),
		cmocka_unit_test(the_memo_never_contradicts_the_rules),
	};

	return cmocka_run_group_tests_name("check_memo", tests, NULL, NULL);
}
