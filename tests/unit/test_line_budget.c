/* SPDX-License-Identifier: MIT */
/*
 * A line that guests can cause is said so many times, then once that it is said
 * no more, and never again, whoever asks.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "drivers/line_budget.h"

static void ends_with_one_word(void **state)
{
	struct line_budget budget = { 0 };

	(void)state;
	for (u32 i = 0; i < LINE_BUDGET; i++)
		assert_int_equal(line_budget_take(&budget), LINE_SHOWN);
	assert_int_equal(line_budget_take(&budget), LINE_NO_MORE);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(line_budget_take(&budget), LINE_DROPPED);
}

static void each_has_its_own(void **state)
{
	struct line_budget first = { 0 }, second = { 0 };

	(void)state;
	for (u32 i = 0; i < 2 * LINE_BUDGET; i++)
		(void)line_budget_take(&first);
	assert_int_equal(line_budget_take(&second), LINE_SHOWN);
}

static struct line_budget shared;
static u32 seen[LINE_DROPPED + 1];

static void *take_many(void *unused)
{
	for (u32 i = 0; i < 10000; i++)
		(void)__atomic_fetch_add(&seen[line_budget_take(&shared)], 1, __ATOMIC_RELAXED);
	return unused;
}

static void many_share_one(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (u32 i = 0; i < array_size(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, NULL), 0);
	for (u32 i = 0; i < array_size(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(seen[LINE_SHOWN], LINE_BUDGET);
	assert_int_equal(seen[LINE_NO_MORE], 1);
	assert_int_equal(seen[LINE_DROPPED], 4 * 10000 - LINE_BUDGET - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_with_one_word),
		cmocka_unit_test(each_has_its_own),
		cmocka_unit_test(many_share_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
