/* SPDX-License-Identifier: MIT */
/*
 * The firmware's own console as the SPCR names it: ports and memory, what is no
 * 16550, and tables that end early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arch/compiler.h"
#include "boot/uefi/spcr.h"
#include "tests/unit/acpi_world.h"

#define SIZE 80

static struct acpi_world world;

/* Interface; address space, register bits, access size; address. */
static struct acpi_table table(u8 interface, u8 space, u8 bits, u8 access, u64 address)
{
	u8 body[SIZE - ACPI_HEADER_SIZE] = { interface };

	acpi_world_init(&world);
	body[4] = space, body[5] = bits, body[7] = access;
	memcpy(body + 8, &address, sizeof(address));
	return acpi_world_put(&world, 0x400, "SPCR", body, SIZE);
}

static void a_16550_is_found(void **state)
{
	static const struct {
		u8 interface, space, bits, access;
		struct handoff_uart uart;
	} rows[] = {
		{ 0, 1, 8, 0, { 0x2f8, CONSOLE_PORT_16550, 1, 1 } },
		{ 1, 1, 8, 1, { 0x3f8, CONSOLE_PORT_16550, 1, 1 } },
		/* A port's registers have 8 bits and lie side by side, whatever is said. */
		{ 0, 1, 32, 3, { 0x3f8, CONSOLE_PORT_16550, 1, 1 } },
		{ 0, 0, 8, 1, { 0xfe030000, CONSOLE_MEMORY_16550, 1, 1 } },
		{ 0x12, 0, 32, 3, { 0xfe030000, CONSOLE_MEMORY_16550, 4, 4 } },
		{ 0x12, 0, 32, 1, { 0xfe030000, CONSOLE_MEMORY_16550, 4, 1 } },
		{ 0x12, 0, 16, 1, { 0x8fe030000, CONSOLE_MEMORY_16550, 2, 1 } },
	};

	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		struct handoff_uart uart = { 0 };
		struct acpi_table t = table(rows[i].interface, rows[i].space, rows[i].bits, rows[i].access, rows[i].uart.base);

		assert_true(spcr_read(&t, &uart));
		assert_true(uart.base == rows[i].uart.base && uart.kind == rows[i].uart.kind);
		assert_int_equal(uart.stride, rows[i].uart.stride);
		assert_int_equal(uart.width, rows[i].uart.width);
	}
}

/* Expect: a PL011, redirection that is off, PCI configuration space and another table are none. */
static void others_are_none(void **state)
{
	struct handoff_uart uart;
	struct acpi_table t;

	(void)state;
	t = table(3, 0, 32, 3, 0xfe030000);
	assert_false(spcr_read(&t, &uart));
	t = table(0, 1, 8, 1, 0);
	assert_false(spcr_read(&t, &uart));
	t = table(0, 2, 8, 1, 0x3f8);
	assert_false(spcr_read(&t, &uart));
	t = table(0, 1, 8, 1, 0x3f8);
	t.bytes[0] = 'X';
	assert_false(spcr_read(&t, &uart));
}

/* Expect: of a table that ends before its address there is no port. */
static void a_short_table_is_none(void **state)
{
	(void)state;
	for (u32 size = ACPI_HEADER_SIZE; size < 52; size++) {
		struct acpi_table t = table(0, 1, 8, 1, 0x3f8);
		struct handoff_uart uart;

		t.size = size;
		assert_false(spcr_read(&t, &uart));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_16550_is_found),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(a_short_table_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
