/* SPDX-License-Identifier: MIT */
/* MSR bitmaps: SDM "MSR-Bitmap Address", against the four kilobytes as the SDM lists them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "vmx/msr_bitmap.h"

static _Alignas(8) u8 bitmap[MSR_BITMAP_BYTES], other[MSR_BITMAP_BYTES];

struct quarter {
	u32 first_msr, first_byte;
	enum msr_access access;
};

/* Read low, read high, write low, write high. */
static const struct quarter quarters[] = {
	{ 0, 0, MSR_READ }, { 0xc0000000, 1024, MSR_READ }, { 0, 2048, MSR_WRITE }, { 0xc0000000, 3072, MSR_WRITE },
};

/* Expect: 32768 MSR accesses, each with a bit of its own where the SDM puts it. */
static void every_bit_is_where_the_sdm_puts_it(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(quarters); i++)
		for (u32 n = 0; n < 0x2000; n++) {
			u32 byte;
			u8 mask;

			assert_true(msr_bitmap_position(quarters[i].first_msr + n, quarters[i].access, &byte, &mask));
			assert_int_equal(byte * 8 + (u32)__builtin_ctz(mask), quarters[i].first_byte * 8 + n);
			assert_int_equal(mask & (mask - 1), 0);
		}
}

static const u32 outside[] = { 0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc0010000, 0xc0012000, 0xffffffff, 0x80000000 };

static void an_msr_outside_both_ranges_always_exits(void **state)
{
	u32 byte;
	u8 mask;

	(void)state;
	memset(bitmap, 0, sizeof(bitmap));
	for (u32 i = 0; i < array_size(outside); i++) {
		assert_false(msr_bitmap_position(outside[i], MSR_READ, &byte, &mask));
		assert_true(msr_bitmap_exits(bitmap, outside[i], MSR_READ));
		assert_true(msr_bitmap_exits(bitmap, outside[i], MSR_WRITE));
		msr_bitmap_set(bitmap, outside[i], MSR_WRITE);
	}
	memset(other, 0, sizeof(other));
	assert_memory_equal(bitmap, other, sizeof(bitmap));
}

static void setting_one_access_sets_no_other(void **state)
{
	(void)state;
	memset(bitmap, 0, sizeof(bitmap));
	msr_bitmap_set(bitmap, 0xc0000080, MSR_WRITE);
	assert_true(msr_bitmap_exits(bitmap, 0xc0000080, MSR_WRITE));
	assert_false(msr_bitmap_exits(bitmap, 0xc0000080, MSR_READ));
	assert_false(msr_bitmap_exits(bitmap, 0x80, MSR_WRITE));
	assert_false(msr_bitmap_exits(bitmap, 0xc0000081, MSR_WRITE));
}

static void both_ranges_are_covered_and_nothing_else(void **state)
{
	static const u32 covered[] = { 0, 0x1fff, 0xc0000000, 0xc0001fff };
	static const u32 beyond[] = { 0x2000, 0x40000000, 0x80000000, 0xbfffffff, 0xc0002000, 0xffffffff };

	(void)state;
	for (u32 i = 0; i < array_size(covered); i++)
		assert_true(msr_bitmap_covers(covered[i]));
	for (u32 i = 0; i < array_size(beyond); i++)
		assert_false(msr_bitmap_covers(beyond[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_is_where_the_sdm_puts_it),
		cmocka_unit_test(an_msr_outside_both_ranges_always_exits),
		cmocka_unit_test(setting_one_access_sets_no_other),
		cmocka_unit_test(both_ranges_are_covered_and_nothing_else),
	};

	return cmocka_run_group_tests_name("msr_bitmap", tests, NULL, NULL);
}
