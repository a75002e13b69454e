/* SPDX-License-Identifier: MIT */
/*
 * The loader's way to the firmware's ACPI tables: what a list names where the
 * firmware maps nothing is passed over, as the loader would fault there. Only
 * this array is mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/uefi/acpi_look.c"

#define PAGES 2

static _Alignas(4096) u8 mapped[PAGES * PAGE];
static struct loader loader;
static EFI_SYSTEM_TABLE tables;
static EFI_CONFIGURATION_TABLE table_of_tables;

bool is_mapped(u64 address)
{
	return address - (u64)(uintptr_t)mapped < sizeof(mapped);
}

void say(const char *format, ...)
{
	(void)format;
}

void complain(const char *format, ...)
{
	(void)format;
}

static void put(u32 at, u64 value, u32 size)
{
	memcpy(mapped + at, &value, size);
}

static void put_table(u32 at, const char *signature, u32 size)
{
	memcpy(mapped + at, signature, 4);
	put(at + 4, size, 4);
}

static u64 address_of(u32 at)
{
	return (u64)(uintptr_t)mapped + at;
}

enum { RSDP = 0x10, XSDT = 0x100, SPCR = 0x200, CUT = PAGES * 4096 - 48 };

/* Expect: the one table that is there is found behind all that are not. */
static void what_is_not_mapped_is_passed_over(void **state)
{
	const u64 lists[] = { UINT64_C(0xf000000000), UINT64_C(1) << 51, address_of(CUT), address_of(sizeof(mapped) - 8),
			      address_of(SPCR) };
	struct handoff_uart uart;

	(void)state;
	loader.system = &tables;
	tables.NumberOfTableEntries = 1;
	tables.ConfigurationTable = &table_of_tables;
	table_of_tables = (EFI_CONFIGURATION_TABLE){ acpi_20_table, mapped + RSDP };
	memcpy(mapped + RSDP, "RSD PTR ", 8);
	put(RSDP + 15, 2, 1);
	put(RSDP + 24, address_of(XSDT), 8);
	put_table(XSDT, "XSDT", 36 + sizeof(lists));
	memcpy(mapped + XSDT + 36, lists, sizeof(lists));
	/* It goes on where nothing is mapped. */
	put_table(CUT, "SPCR", 80);
	put_table(SPCR, "SPCR", 80);
	put(SPCR + 40, 1, 1);
	put(SPCR + 44, 0x2f8, 8);
	assert_true(firmware_console(&loader, &uart));
	assert_int_equal(uart.base, 0x2f8);
	/* Nor is there a root table that can be read. */
	put(RSDP + 24, UINT64_C(0xf000000000), 8);
	assert_false(firmware_console(&loader, &uart));
	table_of_tables.VendorTable = (void *)UINT64_C(0xf000000000);
	assert_false(firmware_console(&loader, &uart));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_mapped_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
