/* SPDX-License-Identifier: MIT */
/*
 * From the ACPI root pointer to the tables, right and with lengths and addresses
 * that cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/acpi_world.h"

#define XSDT 0x200
#define RSDT 0x300
#define FIRST 0x400
#define SECOND 0x500

static struct acpi_world world;

static int fresh(void **state)
{
	static const u8 body[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	u8 list[16] = { 0 };

	(void)state;
	acpi_world_init(&world);
	acpi_world_put(&world, FIRST, "AAAA", body, 44);
	acpi_world_put(&world, SECOND, "BBBB", body, 52);
	list[1] = FIRST >> 8;
	list[9] = SECOND >> 8;
	acpi_world_put(&world, XSDT, "XSDT", list, 52);
	list[5] = SECOND >> 8;
	acpi_world_put(&world, RSDT, "RSDT", list, 44);
	acpi_world_root(&world, 2, RSDT, XSDT);
	return 0;
}

/* The signatures' first letters, in the order of the walk. */
static void assert_walk(const char *expected)
{
	struct acpi_walk walk;
	struct acpi_table table;
	char seen[32] = "";

	acpi_walk_begin(&walk, &world.memory, WORLD_RSDP);
	while (acpi_walk_next(&walk, &table)) {
		assert_true(strlen(seen) < sizeof(seen) - 1);
		seen[strlen(seen)] = (char)table.bytes[0];
	}
	assert_string_equal(seen, expected);
}

static void tables_of_both_lists_are_found(void **state)
{
	(void)state;
	assert_walk("ABAB");
}

/* Expect: the field of revision 2 has no meaning before it. */
static void a_root_of_revision_0_has_no_xsdt(void **state)
{
	(void)state;
	acpi_world_root(&world, 0, RSDT, XSDT);
	assert_walk("AB");
}

static void a_list_that_is_missing_or_another_table_is_passed_over(void **state)
{
	(void)state;
	acpi_world_root(&world, 2, 0, XSDT);
	assert_walk("AB");
	acpi_world_root(&world, 2, FIRST, XSDT);
	assert_walk("AB");
	acpi_world_root(&world, 2, 0, 0);
	assert_walk("");
	acpi_world_root(&world, 2, 0xfffffff0, UINT64_C(0xfffffffffffffff0));
	assert_walk("");
}

static void without_a_root_there_is_nothing(void **state)
{
	struct acpi_walk walk;
	struct acpi_table table;

	(void)state;
	acpi_walk_begin(&walk, &world.memory, 0);
	assert_false(acpi_walk_next(&walk, &table));
	acpi_walk_begin(&walk, &world.memory, WORLD_SIZE - 10);
	assert_false(acpi_walk_next(&walk, &table));
	world.bytes[WORLD_RSDP] = 'X';
	assert_walk("");
}

static void an_entry_that_leads_nowhere_is_passed_over(void **state)
{
	static const u64 addresses[] = { 0, WORLD_SIZE - 8, WORLD_SIZE + 1, UINT64_C(0xffffffffffffffff) };

	(void)state;
	acpi_world_root(&world, 2, 0, XSDT);
	for (u32 i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		acpi_world_set(&world, XSDT + 36, addresses[i], 8);
		assert_walk("B");
	}
}

static void a_table_with_an_impossible_length_is_none(void **state)
{
	static const u64 lengths[] = { 0, 35, WORLD_SIZE, 0x7fffffff, 0xffffffff };
	struct acpi_table table;

	(void)state;
	for (u32 i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		acpi_world_set(&world, FIRST + 4, lengths[i], 4);
		assert_false(acpi_table_at(&world.memory, FIRST, &table));
		assert_int_equal(table.size, 0);
		assert_walk("BB");
	}
	acpi_world_set(&world, FIRST + 4, 36, 4);
	assert_true(acpi_table_at(&world.memory, FIRST, &table));
}

/* Expect: what is left of a list behind its last whole entry is no entry. */
static void a_list_may_end_within_an_entry(void **state)
{
	(void)state;
	acpi_world_root(&world, 2, 0, XSDT);
	acpi_world_set(&world, XSDT + 4, 51, 4);
	assert_walk("A");
	acpi_world_set(&world, XSDT + 4, 43, 4);
	assert_walk("");
	acpi_world_set(&world, XSDT + 4, 36, 4);
	assert_walk("");
}

static void numbers_end_with_the_table(void **state)
{
	struct acpi_table table;

	(void)state;
	assert_true(acpi_table_at(&world.memory, FIRST, &table));
	assert_int_equal(acpi_number(&table, 36, 8), UINT64_C(0x0807060504030201));
	assert_int_equal(acpi_number(&table, 43, 1), 8);
	assert_int_equal(acpi_number(&table, 43, 2), 0);
	assert_int_equal(acpi_number(&table, 44, 1), 0);
	assert_int_equal(acpi_number(&table, 0xffffffff, 8), 0);
}

static void a_mended_checksum_makes_the_sum_0(void **state)
{
	struct acpi_table table, none = { 0 };

	(void)state;
	assert_true(acpi_table_at(&world.memory, FIRST, &table));
	table.bytes[40] ^= 0x5a;
	assert_false(acpi_world_sum_is_0(&table));
	acpi_mend_checksum(&table);
	assert_true(acpi_world_sum_is_0(&table));
	acpi_mend_checksum(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tables_of_both_lists_are_found, fresh),
		cmocka_unit_test_setup(a_root_of_revision_0_has_no_xsdt, fresh),
		cmocka_unit_test_setup(a_list_that_is_missing_or_another_table_is_passed_over, fresh),
		cmocka_unit_test_setup(without_a_root_there_is_nothing, fresh),
		cmocka_unit_test_setup(an_entry_that_leads_nowhere_is_passed_over, fresh),
		cmocka_unit_test_setup(a_table_with_an_impossible_length_is_none, fresh),
		cmocka_unit_test_setup(a_list_may_end_within_an_entry, fresh),
		cmocka_unit_test_setup(numbers_end_with_the_table, fresh),
		cmocka_unit_test_setup(a_mended_checksum_makes_the_sum_0, fresh),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
