/* SPDX-License-Identifier: MIT */
/* From ticks to seconds and back to no time at all; the frequency that a processor tells; which lines are coloured. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/line_style.h"

static struct uptime at(u64 start, u64 hz, u64 tsc)
{
	const struct handoff_console console = { .tsc_start = start, .tsc_hz = hz };

	return uptime_at(&console, tsc);
}

static void ticks_become_seconds(void **state)
{
	struct uptime time = at(1000, 2000000000, 1000 + UINT64_C(2469135780));

	(void)state;
	assert_int_equal(time.seconds, 1);
	assert_int_equal(time.microseconds, 234567);
	time = at(0, 2000000000, 1999999999);
	assert_int_equal(time.seconds, 0);
	assert_int_equal(time.microseconds, 999999);
	/* Ten years at 5 GHz. */
	time = at(0, 5000000000, 5000000000 * UINT64_C(315360000) + 2500000000);
	assert_int_equal(time.seconds, 315360000);
	assert_int_equal(time.microseconds, 500000);
}

/* Expect: ticks where nothing is known of their length; nothing before the beginning. */
static void there_may_be_no_clock(void **state)
{
	(void)state;
	assert_int_equal(at(10, 0, 110).seconds, 100);
	assert_int_equal(at(10, 0, 110).microseconds, 0);
	assert_int_equal(at(10, 1000, 9).seconds, 0);
	assert_int_equal(at(10, 1000, 9).microseconds, 0);
}

/* The crystals of the SDM's table: 24 MHz and 88 / 2. */
static void a_processor_may_tell_its_frequency(void **state)
{
	(void)state;
	assert_int_equal(tsc_hz_told(2, 176, 24000000, 2100), 2112000000);
	assert_int_equal(tsc_hz_told(2, 176, 0, 2100), 2100000000);
	assert_int_equal(tsc_hz_told(2, 176, 0, 0xabcd0834), 2100000000);
	assert_int_equal(tsc_hz_told(2, 176, 0, 0), 0);
	assert_int_equal(tsc_hz_told(0, 176, 24000000, 2100), 2100000000);
	assert_int_equal(tsc_hz_told(2, 0, 24000000, 0), 0);
}

static void levels_have_colours(void **state)
{
	(void)state;
	assert_string_equal(line_colour(LOG_QUIET), "\x1b[31m");
	assert_null(line_colour(LOG_INFO));
	assert_string_equal(line_colour(LOG_DEBUG), "\x1b[90m");
	assert_string_equal(line_colour(LOG_TRACE), "\x1b[90m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_become_seconds),
		cmocka_unit_test(there_may_be_no_clock),
		cmocka_unit_test(a_processor_may_tell_its_frequency),
		cmocka_unit_test(levels_have_colours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
