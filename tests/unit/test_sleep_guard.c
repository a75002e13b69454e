/* SPDX-License-Identifier: MIT */
/*
 * What passes the sleep registers: everything but SLP_EN together with a value
 * of SLP_TYP that is not allowed, however wide and wherever the access begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "vmx/sleep_guard.h"

/* PM1a control at 0xb004: types 0, 2 and 4 pass. PM1b control at 0xb00c: none does. */
static const struct handoff_sleep_port ports[] = { { 0xb005, 0x15 }, { 0xb00d, 0 } };

#define SLP_EN 0x2000u
#define TYPE(n) ((u32)(n) << 10)

static u32 filter(u16 port, u32 size, u32 value)
{
	bool refused;
	u32 written = sleep_guard_filter(ports, array_size(ports), port, size, value, &refused);

	assert_int_equal(refused, written != value);
	return written;
}

static void allowed_types_pass(void **state)
{
	(void)state;
	for (u32 type = 0; type < 8; type++) {
		bool allowed = type == 0 || type == 2 || type == 4;
		u32 value = TYPE(type) | SLP_EN | 0xc3ff;

		assert_int_equal(filter(0xb004, 2, value), allowed ? value : value & ~SLP_EN);
		assert_int_equal(filter(0xb00c, 2, value), value & ~SLP_EN);
	}
}

static void without_slp_en_everything_passes(void **state)
{
	(void)state;
	for (u32 value = 0; value <= 0xffff; value++)
		assert_int_equal(filter(0xb004, 2, value & ~SLP_EN), value & ~SLP_EN);
}

/* Expect: the byte is found wherever it lies in the access, and only its bit changes. */
static void accesses_of_every_width_are_judged(void **state)
{
	(void)state;
	assert_int_equal(filter(0xb005, 1, 0x24), 0x04);
	assert_int_equal(filter(0xb005, 1, 0x20), 0x20);
	assert_int_equal(filter(0xb005, 2, 0xff24), 0xff04);
	assert_int_equal(filter(0xb005, 4, 0xffffff24), 0xffffff04);
	assert_int_equal(filter(0xb004, 4, 0xffff24ff), 0xffff04ff);
	assert_int_equal(filter(0xb003, 4, 0xff24ffff), 0xff04ffff);
	assert_int_equal(filter(0xb002, 4, 0x24ffffff), 0x04ffffff);
}

static void other_ports_pass(void **state)
{
	static const struct {
		u16 port;
		u32 size;
	} others[] = { { 0xb001, 4 }, { 0xb004, 1 }, { 0xb006, 4 }, { 0xb006, 1 }, { 0x3005, 1 }, { 0, 4 }, { 0xfffd, 4 } };

	(void)state;
	for (u32 i = 0; i < array_size(others); i++)
		assert_int_equal(filter(others[i].port, others[i].size, 0xffffffff), 0xffffffff);
}

/* Expect: ports are of 16 bits, and an access goes on at 0. */
static void an_access_may_wrap_around(void **state)
{
	static const struct handoff_sleep_port at_1 = { 1, 0 };
	bool refused;

	(void)state;
	assert_int_equal(sleep_guard_filter(&at_1, 1, 0xffff, 4, 0x24242424, &refused), 0x24042424);
	assert_true(refused);
}

static void two_watched_bytes_in_one_access_are_both_judged(void **state)
{
	static const struct handoff_sleep_port both[] = { { 0x600, 0x01 }, { 0x602, 0x02 } };
	bool refused;

	(void)state;
	assert_int_equal(sleep_guard_filter(both, 2, 0x600, 4, 0x24242424, &refused), 0x24242404);
	assert_int_equal(sleep_guard_filter(both, 2, 0x600, 4, 0x24202420, &refused), 0x24002420);
}

/* Expect: a bit for each port and no other. */
static void the_bitmaps_have_the_watched_ports(void **state)
{
	static const struct handoff_sleep_port edges[] = { { 0, 0 }, { 0x7fff, 0 }, { 0x8000, 0 }, { 0xb005, 0 }, { 0xffff, 0 } };
	static u8 bitmaps[IO_BITMAP_BYTES];
	u32 set = 0;

	(void)state;
	sleep_guard_watch(bitmaps, edges, array_size(edges));
	for (u32 port = 0; port <= 0xffff; port++)
		set += sleep_guard_exits(bitmaps, (u16)port, 1);
	assert_int_equal(set, array_size(edges));
	assert_int_equal(bitmaps[4096 + 0x3005 / 8], 1 << 5);
	assert_true(sleep_guard_exits(bitmaps, 0x7ffc, 4));
	assert_true(sleep_guard_exits(bitmaps, 0xb002, 4));
	assert_false(sleep_guard_exits(bitmaps, 0xb001, 4));
	assert_false(sleep_guard_exits(bitmaps, 0xb006, 4));
	assert_true(sleep_guard_exits(bitmaps, 0xffff, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed_types_pass),
		cmocka_unit_test(without_slp_en_everything_passes),
		cmocka_unit_test(accesses_of_every_width_are_judged),
		cmocka_unit_test(other_ports_pass),
		cmocka_unit_test(an_access_may_wrap_around),
		cmocka_unit_test(two_watched_bytes_in_one_access_are_both_judged),
		cmocka_unit_test(the_bitmaps_have_the_watched_ports),
	};

	return cmocka_run_group_tests_name("sleep_guard", tests, NULL, NULL);
}
