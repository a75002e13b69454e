/* SPDX-License-Identifier: MIT */
/*
 * The record of refused VM entries, which of them are worth a line, and that
 * rules can be told apart by number and by sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmx/nested/check_common.h"
#include "vmx/nested/insn.h"
#include "vmx/nested/refusal.h"

static struct refusal_log refusals;

static int fresh(void **state)
{
	(void)state;
	memset(&refusals, 0, sizeof(refusals));
	return 0;
}

static enum refusal_line note(u16 number, u64 value, u32 *times)
{
	struct entry_failure failure = { .rule = "a rule", .field = VMCS_FIELD(GUEST_RIP), .value = value, .section = "a title",
					 .qualification = 4, .number = number, .result = REFUSAL_GUEST };

	return refusal_note(&refusals, &failure, 0x5000, 77, times);
}

static void the_first_refusal_is_told_whole_and_recorded(void **state)
{
	const struct trace_record *record;
	u32 times;

	(void)state;
	assert_null(refusal_recent(&refusals, 0));
	assert_int_equal(note(451, 0x123456789, &times), REFUSAL_WHOLE);
	assert_int_equal(times, 1);
	record = refusal_recent(&refusals, 0);
	assert_non_null(record);
	assert_int_equal(record->kind, TRACE_ENTRY_REFUSED);
	assert_int_equal(record->rule, 451);
	assert_int_equal(record->result, 0x8021);
	assert_int_equal(record->field, 0x681e);
	assert_true(record->value == 0x123456789);
	assert_true(record->vmcs == 0x5000);
	assert_true(record->tsc == 77);
	assert_int_equal(record->detail, 4);
	assert_null(refusal_recent(&refusals, 1));
}

/* Expect: the tenth, the hundredth, the thousandth, and how many there were. */
static void equal_refusals_are_counted(void **state)
{
	(void)state;
	for (u32 i = 1; i <= 20000; i++) {
		enum refusal_line expected = i == 10 || i == 100 || i == 1000 || i == 10000 ? REFUSAL_AGAIN : REFUSAL_SILENT;
		u32 times;

		assert_int_equal(note(100, 7, &times), i == 1 ? REFUSAL_WHOLE : expected);
		assert_int_equal(times, i);
	}
	assert_true(refusals.count == 20000);
}

static void a_new_value_is_told_but_not_for_ever(void **state)
{
	u32 times, lines = 0;

	(void)state;
	for (u32 i = 0; i < 9000; i++)
		lines += note(100, i, &times) != REFUSAL_SILENT;
	/* and those at 10, 100 and 1000 */
	assert_int_equal(lines, REFUSAL_LINES + 3);
}

static void the_count_does_not_come_round(void **state)
{
	u32 times;

	(void)state;
	(void)note(100, 7, &times);
	refusals.seen[100].times = UINT32_MAX - 1;
	assert_int_equal(note(100, 7, &times), REFUSAL_SILENT);
	assert_int_equal(note(100, 7, &times), REFUSAL_SILENT);
	assert_true(times == UINT32_MAX);
}

static void rules_are_counted_apart(void **state)
{
	u32 times;

	(void)state;
	for (u16 number = 100; number < 200; number++) {
		assert_int_equal(note(number, 7, &times), REFUSAL_WHOLE);
		assert_int_equal(times, 1);
	}
}

static void the_last_records_are_kept_the_newest_first(void **state)
{
	u32 times;

	(void)state;
	for (u16 i = 0; i < 3 * REFUSAL_RECORDS + 5; i++)
		(void)note(100, i, &times);
	for (u32 age = 0; age < REFUSAL_RECORDS; age++)
		assert_true(refusal_recent(&refusals, age)->value == 3 * REFUSAL_RECORDS + 4 - age);
	assert_null(refusal_recent(&refusals, REFUSAL_RECORDS));
	assert_null(refusal_recent(&refusals, UINT32_MAX));
}

static void what_is_no_entry_is_counted_without_a_record(void **state)
{
	u32 times;

	(void)state;
	assert_int_equal(refusal_repeated(&refusals, REFUSAL_OF_INSTRUCTION + 12, 0x6c1c, &times), REFUSAL_WHOLE);
	assert_int_equal(refusal_repeated(&refusals, REFUSAL_OF_INSTRUCTION + 12, 0x6c1c, &times), REFUSAL_SILENT);
	assert_int_equal(refusal_repeated(&refusals, REFUSAL_OF_INSTRUCTION + 13, 0x6c1c, &times), REFUSAL_WHOLE);
	assert_null(refusal_recent(&refusals, 0));
}

static void errors_of_instructions_have_words(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal_of_instruction(VMERR_VMCALL_IN_ROOT), "VMCALL"));
	assert_non_null(strstr(refusal_of_instruction(VMERR_INVALIDATION_OPERAND), "INVEPT"));
	assert_string_equal(refusal_of_instruction(0), "an error without a name");
	assert_string_equal(refusal_of_instruction(VMERR_INVALIDATION_OPERAND + 1), "an error without a name");
	assert_true(REFUSAL_OF_INSTRUCTION + VMERR_INVALIDATION_OPERAND < RULE_NUMBERS);
}

static void other_rules_are_found_by_their_numbers(void **state)
{
	(void)state;
	for (u32 i = 0; i < refusal_others_count; i++) {
		struct entry_failure failure = refusal_other(refusal_others[i].number, 5, 6);

		assert_int_equal(failure.number, refusal_others[i].number);
		assert_string_equal(failure.rule, refusal_others[i].rule);
		assert_true(failure.value == 5 && failure.qualification == 6);
	}
}

/* Every rule there is, as number and sentence. */
struct known {
	const char *rule[RULE_NUMBERS];
	u32 count;
};

static void add_rule(struct known *known, u32 number, const char *rule)
{
	assert_in_range(number, 1, REFUSAL_OF_INSTRUCTION - 1);
	if (known->rule[number])
		fail_msg("%u is \"%s\" and \"%s\"", number, known->rule[number], rule);
	for (u32 i = 0; i < RULE_NUMBERS; i++)
		if (known->rule[i] && strcmp(known->rule[i], rule) == 0)
			fail_msg("%u and %u are \"%s\"", i, number, rule);
	known->rule[number] = rule;
	known->count++;
}

static void every_rule_has_a_number_and_a_sentence_of_its_own(void **state)
{
	static struct known known;
	u32 last = 0;

	(void)state;
	for (u32 i = 0; i < refusal_others_count; i++)
		add_rule(&known, refusal_others[i].number, refusal_others[i].rule);
	for (u32 i = 0; i < check_order_count; i++)
		for (u32 j = 0; j < check_order[i]->count; j++)
			add_rule(&known, check_order[i]->checks[j].number, check_order[i]->checks[j].rule);
	for (u32 j = 0; j < check_left_to_processor_section.count; j++)
		add_rule(&known, check_left_to_processor_section.checks[j].number, check_left_to_processor_section.checks[j].rule);
	assert_true(known.count > 200);
	/* VMfail 7 before 8 before exit 33. */
	for (u32 i = 0; i < check_order_count; i++) {
		assert_true(check_order[i]->result >= last);
		last = check_order[i]->result;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_refusal_is_told_whole_and_recorded, fresh),
		cmocka_unit_test_setup(equal_refusals_are_counted, fresh),
		cmocka_unit_test_setup(a_new_value_is_told_but_not_for_ever, fresh),
		cmocka_unit_test_setup(the_count_does_not_come_round, fresh),
		cmocka_unit_test_setup(rules_are_counted_apart, fresh),
		cmocka_unit_test_setup(the_last_records_are_kept_the_newest_first, fresh),
		cmocka_unit_test_setup(what_is_no_entry_is_counted_without_a_record, fresh),
		cmocka_unit_test(errors_of_instructions_have_words),
		cmocka_unit_test(other_rules_are_found_by_their_numbers),
		cmocka_unit_test(every_rule_has_a_number_and_a_sentence_of_its_own),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
