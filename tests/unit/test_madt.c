/* SPDX-License-Identifier: MIT */
/*
 * Processors that must not be started leave the MADT, and nothing else in it
 * changes; an entry with an impossible length leaves it whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/uefi/madt.h"
#include "tests/unit/acpi_world.h"

#define AT 0x400
#define APIC_0 8	/* offsets in the body, which begins with 8 bytes of address and flags */
#define APIC_1 16
#define X2APIC 24
#define IO_APIC 40
#define APIC_3 52
#define BODY 60

static const u8 body[BODY] = {
	0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0,
	0, 8, 0, 0, 1, 0, 0, 0,					/* local APIC 0: enabled */
	0, 8, 1, 1, 1, 0, 0, 0,					/* local APIC 1: enabled */
	9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,	/* x2APIC 0x1234: enabled */
	1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0,	/* I/O APIC */
	0, 8, 3, 3, 2, 0, 0, 0,					/* local APIC 3: online capable */
};

static struct acpi_world world;
static struct acpi_table madt;
static struct madt_count count;

static int fresh(void **state)
{
	(void)state;
	acpi_world_init(&world);
	madt = acpi_world_put(&world, AT, "APIC", body, ACPI_HEADER_SIZE + BODY);
	count = (struct madt_count){ 0 };
	return 0;
}

static u8 *in_body(u32 offset)
{
	return madt.bytes + ACPI_HEADER_SIZE + offset;
}

static enum madt_result keep(const u32 *ids, u32 id_count)
{
	return madt_keep_only(&madt, ids, id_count, &count);
}

static void with_all_listed_nothing_changes(void **state)
{
	static const u32 ids[] = { 3, 0x1234, 0, 1 };

	(void)state;
	assert_int_equal(keep(ids, 4), MADT_DONE);
	assert_memory_equal(in_body(0), body, BODY);
	assert_int_equal(count.kept, 4);
	assert_int_equal(count.cleared, 0);
}

/* Expect: enabled and online capable entries of both kinds alike; all other bytes stay. */
static void entries_that_are_not_listed_are_cleared(void **state)
{
	static const u32 ids[] = { 0 };
	u8 expected[BODY];

	(void)state;
	assert_int_equal(keep(ids, 1), MADT_DONE);
	memcpy(expected, body, BODY);
	expected[APIC_1 + 4] = 0;
	expected[X2APIC + 8] = 0;
	expected[APIC_3 + 4] = 0;
	assert_memory_equal(in_body(0), expected, BODY);
	assert_int_equal(count.kept, 1);
	assert_int_equal(count.cleared, 3);
	assert_true(acpi_world_sum_is_0(&madt));
}

/* Expect: an ID of 32 bits is not mistaken for its low byte. */
static void ids_are_compared_whole(void **state)
{
	static const u32 ids[] = { 0, 1, 3, 0x34 };

	(void)state;
	assert_int_equal(keep(ids, 4), MADT_DONE);
	assert_int_equal(*in_body(X2APIC + 8), 0);
	assert_int_equal(count.cleared, 1);
}

static void a_second_time_there_is_nothing_to_do(void **state)
{
	static const u32 ids[] = { 1 };
	u8 before[BODY];

	(void)state;
	assert_int_equal(keep(ids, 1), MADT_DONE);
	memcpy(before, in_body(0), BODY);
	count = (struct madt_count){ 0 };
	assert_int_equal(keep(ids, 1), MADT_DONE);
	assert_memory_equal(in_body(0), before, BODY);
	assert_int_equal(count.kept, 1);
	assert_int_equal(count.cleared, 0);
}

static void impossible_lengths_leave_the_table_alone(void **state)
{
	static const struct {
		u32 at;
		u8 size;
	} wrong[] = {
		{ APIC_0, 0 }, { APIC_1, 1 }, { IO_APIC, 21 }, { IO_APIC, 255 }, { APIC_3, 9 },
		{ APIC_0, 7 },		/* too short for its kind */
		{ X2APIC, 15 },
	};

	(void)state;
	for (u32 i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		u8 before[BODY];

		fresh(NULL);
		*in_body(wrong[i].at + 1) = wrong[i].size;
		memcpy(before, in_body(0), BODY);
		assert_int_equal(keep(NULL, 0), MADT_BROKEN);
		assert_memory_equal(in_body(0), before, BODY);
		assert_int_equal(count.cleared, 0);
	}
}

static void a_table_may_end_early(void **state)
{
	(void)state;
	for (u32 size = 0; size < ACPI_HEADER_SIZE + BODY; size++) {
		/* A block of its own, so that the sanitizer sees a step too far. */
		struct acpi_table cut = { test_malloc(size + 1), size };
		enum madt_result result;

		fresh(NULL);
		memcpy(cut.bytes, madt.bytes, size);
		result = madt_keep_only(&cut, NULL, 0, &count);
		assert_true(result == MADT_DONE || result == MADT_BROKEN);
		assert_true(size >= 44 || result == MADT_BROKEN);
		test_free(cut.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(with_all_listed_nothing_changes, fresh),
		cmocka_unit_test_setup(entries_that_are_not_listed_are_cleared, fresh),
		cmocka_unit_test_setup(ids_are_compared_whole, fresh),
		cmocka_unit_test_setup(a_second_time_there_is_nothing_to_do, fresh),
		cmocka_unit_test_setup(impossible_lengths_leave_the_table_alone, fresh),
		cmocka_unit_test_setup(a_table_may_end_early, fresh),
	};

	return cmocka_run_group_tests_name("madt", tests, NULL, NULL);
}
