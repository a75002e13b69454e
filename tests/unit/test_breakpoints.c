/* SPDX-License-Identifier: MIT */
/* Data breakpoints against accesses: conditions, lengths, enables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/bits.h"
#include "vmx/breakpoints.h"
#include "vmx/events.h"

#define HIT(number) (BIT(number) | PENDING_DEBUG_ENABLED_BREAKPOINT)

enum { EXECUTE, WRITE, IO, READ_WRITE };
enum { ONE, TWO, EIGHT, FOUR };

static struct breakpoints breakpoints;

static void set(u32 number, u64 address, u64 condition, u64 length)
{
	breakpoints.address[number] = address;
	breakpoints.dr7 |= (condition | length << 2) << (16 + 4 * number);
}

static void enable(u32 bit)
{
	breakpoints.dr7 |= BIT(bit);
}

static void reset(void)
{
	breakpoints = (struct breakpoints){ .dr7 = BIT(10) };
}

static void the_condition_must_be_met(void **state)
{
	(void)state;
	for (u64 condition = EXECUTE; condition <= READ_WRITE; condition++) {
		reset();
		set(0, 0x1000, condition, ONE);
		enable(0);
		assert_true(breakpoints_hit(&breakpoints, 0x1000, 8, false) == (condition == READ_WRITE ? HIT(0) : 0));
		assert_true(breakpoints_hit(&breakpoints, 0x1000, 8, true) ==
			    (condition == READ_WRITE || condition == WRITE ? HIT(0) : 0));
	}
}

/* Expect: one shared byte is enough; the low bits of the address do not count. */
static void the_length_decides_what_overlaps(void **state)
{
	static const struct {
		u64 length, bytes;
	} lengths[] = { { ONE, 1 }, { TWO, 2 }, { FOUR, 4 }, { EIGHT, 8 } };

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		reset();
		set(1, 0x1000 + lengths[i].bytes - 1, WRITE, lengths[i].length);
		enable(3);
		assert_true(breakpoints_hit(&breakpoints, 0xff8, 8, true) == 0);
		assert_true(breakpoints_hit(&breakpoints, 0xff9, 8, true) == HIT(1));
		assert_true(breakpoints_hit(&breakpoints, 0x1000 + lengths[i].bytes - 1, 1, true) == HIT(1));
		assert_true(breakpoints_hit(&breakpoints, 0x1000 + lengths[i].bytes, 8, true) == 0);
	}
}

static void the_ends_of_the_address_space_count(void **state)
{
	(void)state;
	reset();
	set(2, UINT64_MAX, READ_WRITE, EIGHT);
	enable(4);
	assert_true(breakpoints_hit(&breakpoints, UINT64_MAX - 7, 8, false) == HIT(2));
	assert_true(breakpoints_hit(&breakpoints, UINT64_MAX - 15, 8, false) == 0);
	set(3, 0, READ_WRITE, EIGHT);
	enable(7);
	assert_true(breakpoints_hit(&breakpoints, 0, 8, false) == HIT(3));
}

/* Expect: nothing without an enabled one; with one, all that are met are told. */
static void one_must_be_enabled(void **state)
{
	(void)state;
	reset();
	set(0, 0x1000, WRITE, FOUR);
	set(1, 0x1004, READ_WRITE, FOUR);
	set(2, 0x2000, WRITE, FOUR);
	assert_true(breakpoints_hit(&breakpoints, 0x1000, 8, true) == 0);
	enable(2);
	assert_true(breakpoints_hit(&breakpoints, 0x1000, 8, true) == (HIT(0) | HIT(1)));
	assert_true(breakpoints_hit(&breakpoints, 0x1000, 4, true) == 0);
}

/* Expect: a port meets the conditions of ports, and an address does not. */
static void ports_are_no_addresses(void **state)
{
	(void)state;
	for (u64 condition = EXECUTE; condition <= READ_WRITE; condition++) {
		reset();
		set(3, 0x3fc, condition, FOUR);
		enable(7);
		assert_true(breakpoints_hit_port(&breakpoints, 0x3fd, 1) == (condition == IO ? HIT(3) : 0));
		assert_true(breakpoints_hit_port(&breakpoints, 0x3fb, 2) == (condition == IO ? HIT(3) : 0));
		assert_true(breakpoints_hit_port(&breakpoints, 0x3fb, 1) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_condition_must_be_met),
		cmocka_unit_test(the_length_decides_what_overlaps),
		cmocka_unit_test(the_ends_of_the_address_space_count),
		cmocka_unit_test(one_must_be_enabled),
		cmocka_unit_test(ports_are_no_addresses),
	};

	return cmocka_run_group_tests_name("breakpoints", tests, NULL, NULL);
}
