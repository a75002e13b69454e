/* SPDX-License-Identifier: MIT */
/*
 * What the scan for sleep states finds in AML of every shape, and which ports
 * come of a FADT. The bytes are AML by hand; iasl makes the same of the ASL that
 * stands beside them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/uefi/sleep_states.h"
#include "tests/unit/acpi_world.h"

#define AT 0x400
#define BIT_OF(n) (1u << (n))

static struct acpi_world world;
static struct sleep_types types;
static struct sleep_ports ports;

static int fresh(void **state)
{
	(void)state;
	acpi_world_init(&world);
	types = (struct sleep_types){ 0 };
	ports = (struct sleep_ports){ 0 };
	return 0;
}

static struct acpi_table block(const void *aml, u32 size)
{
	return acpi_world_put(&world, AT, "DSDT", aml, ACPI_HEADER_SIZE + size);
}

#define AML(text) block(text, sizeof(text) - 1)

/* Name (\_S3, Package (4) { One, One, Zero, Zero }) and its like. */
#define S1 "\x08_S1_\x12\x08\x04\x0a\x04\x0a\x04\x00\x00"
#define S3 "\x08_S3_\x12\x06\x04\x01\x01\x00\x00"
#define S4 "\x08_S4_\x12\x08\x04\x0a\x02\x0a\x02\x00\x00"
#define S5 "\x08_S5_\x12\x06\x04\x00\x00\x00\x00"

static void assert_types(u8 states, u8 kept, u8 lost)
{
	assert_int_equal(types.states, states);
	assert_int_equal(types.unreadable, 0);
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(types.kept[i], kept);
		assert_int_equal(types.lost[i], lost);
	}
}

static void states_are_found_wherever_they_are(void **state)
{
	struct acpi_table table = AML("\x10\x20\\___" S3 "\x5b\x80" "____" S4 S5 "\xa0\x10" S1 "end");

	(void)state;
	sleep_scan(&table, &types);
	assert_types(0x3a, BIT_OF(0) | BIT_OF(2) | BIT_OF(4), BIT_OF(1));
}

static void a_root_prefix_may_precede_the_name(void **state)
{
	struct acpi_table table = AML("\x08\\_S5_\x12\x06\x04\x00\x00\x00\x00");

	(void)state;
	sleep_scan(&table, &types);
	assert_types(0x20, BIT_OF(0), 0);
}

/* Expect: PM1a has the first element, PM1b the second, in constants of every width. */
static void elements_may_be_any_constant(void **state)
{
	static const struct {
		const char *aml;
		u32 size, a, b;
	} cases[] = {
		{ "\x08_S5_\x12\x04\x02\x00\x01", 10, 0, 1 },
		{ "\x08_S5_\x12\x06\x02\x0a\x07\x0a\x06", 12, 7, 6 },
		{ "\x08_S5_\x12\x08\x02\x0b\x05\x00\x0b\x03\x00", 14, 5, 3 },
		{ "\x08_S5_\x12\x0c\x02\x0c\x04\x00\x00\x00\x0c\x02\x00\x00\x00", 18, 4, 2 },
		{ "\x08_S5_\x12\x0d\x02\x0e\x03\x00\x00\x00\x00\x00\x00\x00\x0a\x05", 19, 3, 5 },
		{ "\x08_S5_\x12\x04\x02\xff\x00", 10, 7, 0 },
		{ "\x08_S5_\x12\x05\x01\x0b\x06\x02", 11, 6, 2 },	/* a single element: two in one */
		{ "\x08_S5_\x12\x45\x00\x02\x00\x01", 11, 0, 1 },	/* PkgLength of two bytes */
		{ "\x08_S5_\x12\x86\x00\x00\x02\x00\x01", 12, 0, 1 },
		{ "\x08_S5_\x12\xc7\x00\x00\x00\x02\x00\x01", 13, 0, 1 },
	};

	(void)state;
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acpi_table table;

		fresh(NULL);
		table = block(cases[i].aml, cases[i].size);
		sleep_scan(&table, &types);
		assert_int_equal(types.unreadable, 0);
		assert_int_equal(types.kept[0], BIT_OF(cases[i].a));
		assert_int_equal(types.kept[1], BIT_OF(cases[i].b));
	}
}

/* Expect: it is known that there is a state, but not its values. */
static void what_is_no_package_of_constants_is_unreadable(void **state)
{
	static const struct {
		const char *aml;
		u32 size;
	} cases[] = {
		{ "\x08_S5_\x12\x07\x02SLPT\x00", 13 },			/* a name */
		{ "\x14\x0b_S5_\x00\xa4" "ABCD", 12 },			/* a method */
		{ "\x14\x0c\\_S5_\x00\xa4" "ABCD", 13 },
		{ "\x08_S5_\x12\x02\x00", 8 },				/* no elements */
		{ "\x08_S5_\x12\x03\x02\x00", 9 },			/* the second is missing */
		{ "\x08_S5_\x12\x04\x02\x00\x0a", 10 },			/* ... or cut */
		{ "\x08_S5_\x12\x3f\x02\x00\x00", 10 },			/* longer than the table */
		{ "\x08_S5_\x12\xcf\xff\xff\xff", 10 },
		{ "\x08_S5_\x12\x40", 8 },				/* shorter than itself */
		{ "\x08_S5_\x12\x00\x02\x00\x00", 10 },
		{ "\x08_S5_\x12", 6 },
	};

	(void)state;
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acpi_table table;

		fresh(NULL);
		table = block(cases[i].aml, cases[i].size);
		sleep_scan(&table, &types);
		assert_int_equal(types.states, 0x20);
		assert_int_equal(types.unreadable, 0x20);
		assert_int_equal(types.kept[0] | types.kept[1], 0);
	}
}

static void what_defines_no_sleep_state_is_passed_over(void **state)
{
	struct acpi_table table = AML("_S3_" "\x08_S0_\x12\x06\x04\x01\x01\x00\x00" "\x08_S6_\x12\x06\x04\x01\x01\x00\x00"
				      "\x08_S3D\x0a\x03" "\x08_S3_\x0a\x01" "\x15_S3_" "\x08_S3");

	(void)state;
	sleep_scan(&table, &types);
	assert_types(0, 0, 0);
	assert_int_equal(sleep_hide(&table), 0);
}

/* Expect: only S2 and S3 are renamed, all other bytes stay, and the sum is 0. */
static void states_that_lose_context_are_renamed(void **state)
{
	static const char before[] = S1 "\x08_S2_\x12\x06\x04\x01\x01\x00\x00" S3 S4 S5 "\x14\x0c\\_S3_\x00\xa4" "ABCD";
	static const char after[] = S1 "\x08XS2_\x12\x06\x04\x01\x01\x00\x00" "\x08XS3_\x12\x06\x04\x01\x01\x00\x00" S4 S5
				    "\x14\x0c\\XS3_\x00\xa4" "ABCD";
	struct acpi_table table = AML(before);

	(void)state;
	assert_int_equal(sleep_hide(&table), 3);
	assert_memory_equal(table.bytes + ACPI_HEADER_SIZE, after, sizeof(after) - 1);
	assert_true(acpi_world_sum_is_0(&table));
	assert_int_equal(sleep_hide(&table), 0);
	sleep_scan(&table, &types);
	assert_int_equal(types.states, 0x32);
	assert_int_equal(types.lost[0], 0);
}

/* Expect: no step outside of the table, wherever it ends. */
static void a_table_may_end_anywhere(void **state)
{
	static const char whole[] = "\x14\x4c\x00\\_S3_\x00" S3
				    "\x08\\_S4_\x12\x8d\x00\x00\x02\x0e\x03\x00\x00\x00\x00\x00\x00\x00\x0a\x05";

	(void)state;
	for (u32 size = 0; size < sizeof(whole); size++) {
		u8 *bytes = test_malloc(ACPI_HEADER_SIZE + size);
		struct acpi_table table = { bytes, ACPI_HEADER_SIZE + size };

		memset(bytes, 0, ACPI_HEADER_SIZE);
		memcpy(bytes + ACPI_HEADER_SIZE, whole, size);
		sleep_scan(&table, &types);
		sleep_hide(&table);
		test_free(bytes);
	}
}

/* --- ports ----------------------------------------------------------------------- */

#define FADT_SIZE 268

static u8 fadt_body[FADT_SIZE - ACPI_HEADER_SIZE];

static void set(u32 offset, u64 value, u32 size)
{
	for (u32 i = 0; i < size; i++)
		fadt_body[offset - ACPI_HEADER_SIZE + i] = (u8)(value >> (8 * i));
}

static void set_gas(u32 offset, u8 space, u64 address)
{
	set(offset, space, 1);
	set(offset + 4, address, 8);
}

/* kept: 0, 2, 4; lost: 1. */
static void find(u32 size)
{
	struct acpi_table dsdt = AML(S1 S3 S4 S5), fadt;

	sleep_scan(&dsdt, &types);
	fadt = acpi_world_put(&world, 0x800, "FACP", fadt_body, size);
	sleep_find_ports(&fadt, &types, &ports);
}

static int fresh_fadt(void **state)
{
	memset(fadt_body, 0, sizeof(fadt_body));
	return fresh(state);
}

/* Expect: SLP_TYP and SLP_EN are in the upper byte of the register. */
static void pm1_control_registers_are_watched(void **state)
{
	(void)state;
	set(64, 0xb004, 4);
	set(68, 0xc004, 4);
	find(116);
	assert_int_equal(ports.count, 2);
	assert_int_equal(ports.port[0].port, 0xb005);
	assert_int_equal(ports.port[0].allowed, 0x15);
	assert_int_equal(ports.port[1].port, 0xc005);
	assert_false(ports.in_memory);
}

static void the_same_register_named_twice_is_one(void **state)
{
	(void)state;
	set(64, 0xb004, 4);
	set_gas(172, 1, 0xb004);
	find(244);
	assert_int_equal(ports.count, 1);
}

static void old_and_new_field_may_differ(void **state)
{
	(void)state;
	set(64, 0xb004, 4);
	set_gas(172, 1, 0x404);
	find(244);
	assert_int_equal(ports.count, 2);
	assert_int_equal(ports.port[1].port, 0x405);
}

static void a_register_in_memory_is_told(void **state)
{
	(void)state;
	set_gas(172, 0, 0xfed10004);
	find(244);
	assert_int_equal(ports.count, 0);
	assert_true(ports.in_memory);
}

/* Expect: without fixed hardware its fields have no meaning. */
static void hardware_reduced_machines_have_the_sleep_control_register(void **state)
{
	(void)state;
	set(64, 0xb004, 4);
	set_gas(172, 1, 0xb004);
	set(112, 1u << 20, 4);
	set_gas(244, 1, 0x604);
	find(268);
	assert_int_equal(ports.count, 1);
	assert_int_equal(ports.port[0].port, 0x604);
	assert_int_equal(ports.port[0].allowed, 0x15);
}

/* Expect: a value of S5 in one table that is S3's in another does not pass. */
static void a_value_that_is_also_that_of_s3_is_refused(void **state)
{
	struct acpi_table ssdt = AML("\x08_S3_\x12\x06\x04\x00\x0a\x02\x00");

	(void)state;
	sleep_scan(&ssdt, &types);
	set(64, 0xb004, 4);
	set(68, 0xc004, 4);
	find(116);
	assert_int_equal(ports.port[0].allowed, 0x14);
	assert_int_equal(ports.port[1].allowed, 0x11);
}

static void ports_beyond_64_kb_are_no_ports(void **state)
{
	(void)state;
	set(64, 0xffff, 4);
	set_gas(172, 1, UINT64_C(0xffffffffffffffff));
	set_gas(184, 1, UINT64_C(0x1000b004));
	find(244);
	assert_int_equal(ports.count, 0);
}

static void a_fadt_may_end_anywhere(void **state)
{
	(void)state;
	memset(fadt_body, 0xff, sizeof(fadt_body));
	for (u32 size = ACPI_HEADER_SIZE; size <= FADT_SIZE; size++) {
		u64 dsdt[2];
		u8 *bytes = test_malloc(size);
		struct acpi_table fadt = { bytes, size };

		memset(bytes, 0xff, size);
		sleep_find_ports(&fadt, &types, &ports);
		sleep_dsdt(&fadt, dsdt);
		assert_int_equal(dsdt[1] != 0, size >= 44);
		assert_int_equal(dsdt[0] != 0, size >= 148);
		test_free(bytes);
	}
}

static void more_ports_than_there_is_room_for_are_told(void **state)
{
	(void)state;
	for (u32 i = 0; i < HANDOFF_SLEEP_PORTS + 1; i++) {
		assert_false(ports.too_many);
		set(64, 0xb004 + 0x10 * i, 4);
		find(116);
	}
	assert_int_equal(ports.count, HANDOFF_SLEEP_PORTS);
	assert_true(ports.too_many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(states_are_found_wherever_they_are, fresh),
		cmocka_unit_test_setup(a_root_prefix_may_precede_the_name, fresh),
		cmocka_unit_test_setup(elements_may_be_any_constant, fresh),
		cmocka_unit_test_setup(what_is_no_package_of_constants_is_unreadable, fresh),
		cmocka_unit_test_setup(what_defines_no_sleep_state_is_passed_over, fresh),
		cmocka_unit_test_setup(states_that_lose_context_are_renamed, fresh),
		cmocka_unit_test_setup(a_table_may_end_anywhere, fresh),
		cmocka_unit_test_setup(pm1_control_registers_are_watched, fresh_fadt),
		cmocka_unit_test_setup(the_same_register_named_twice_is_one, fresh_fadt),
		cmocka_unit_test_setup(old_and_new_field_may_differ, fresh_fadt),
		cmocka_unit_test_setup(a_register_in_memory_is_told, fresh_fadt),
		cmocka_unit_test_setup(hardware_reduced_machines_have_the_sleep_control_register, fresh_fadt),
		cmocka_unit_test_setup(a_value_that_is_also_that_of_s3_is_refused, fresh_fadt),
		cmocka_unit_test_setup(ports_beyond_64_kb_are_no_ports, fresh_fadt),
		cmocka_unit_test_setup(a_fadt_may_end_anywhere, fresh_fadt),
		cmocka_unit_test_setup(more_ports_than_there_is_room_for_are_told, fresh_fadt),
	};

	return cmocka_run_group_tests_name("sleep_states", tests, NULL, NULL);
}
