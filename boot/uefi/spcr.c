/* SPDX-License-Identifier: MIT */
/*
 * Reads the SPCR: see boot/uefi/spcr.h. The address is an ACPI "Generic Address
 * Structure"; whether it can be is judged by who uses it.
 */
#include "boot/uefi/spcr.h"

enum { INTERFACE = 36, SPACE = 40, REGISTER_BITS = 41, ACCESS = 43, ADDRESS = 44 };
enum { FULL_16550 = 0, SUBSET_OF_16550 = 1, GENERIC_16550 = 0x12 };
#define SPACE_MEMORY 0
#define SPACE_IO 1
#define ACCESS_DWORD 3

bool spcr_read(const struct acpi_table *table, struct handoff_uart *uart)
{
	u64 kind = acpi_number(table, INTERFACE, 1), space = acpi_number(table, SPACE, 1), bits = acpi_number(table, REGISTER_BITS, 1);
	u64 address = acpi_number(table, ADDRESS, 8);

	/* An address of 0: console redirection is off. */
	if (!acpi_is(table, "SPCR") || address == 0 || (kind != FULL_16550 && kind != SUBSET_OF_16550 && kind != GENERIC_16550))
		return false;
	*uart = (struct handoff_uart){ .base = address, .kind = CONSOLE_PORT_16550, .stride = 1, .width = 1 };
	if (space == SPACE_IO)
		return true;
	uart->kind = CONSOLE_MEMORY_16550;
	uart->stride = bits == 32 ? 4 : bits == 16 ? 2 : 1;
	if (bits == 32 && acpi_number(table, ACCESS, 1) == ACCESS_DWORD)
		uart->width = 4;
	return space == SPACE_MEMORY;
}
