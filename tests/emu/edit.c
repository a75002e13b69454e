// SPDX-License-Identifier: MIT
/*
 * UEFI application: the loader's own code for ACPI tables, on the tables that the firmware really has.
 *
 * Where there is no VMX the loader refuses before it looks at them, so this does it in its place: it says what it finds, takes all
 * processors but the first out of the MADT, hides the sleep states, looks again, and ends the machine. Must not print through the firmware.
 */
#include <efi.h>
#include <stdint.h>

#include "boot/uefi/acpi.c"
#include "boot/uefi/madt.c"
#include "boot/uefi/sleep_states.c"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

static EFI_GUID acpi_20_guid = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void put(char c)
{
	uint8_t status;

	out(0x3f8, (uint8_t)c);
	do
		__asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((uint16_t)0x3fd));
	while (!(status & 0x40));
}

static void say(const char *text)
{
	while (*text)
		put(*text++);
}

static void say_number(const char *before, uint64_t value)
{
	char digits[16];
	uint32_t count = 0;

	say(before);
	do {
		digits[count++] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	while (count)
		put(digits[--count]);
}

static u8 *reach_firmware(void *context, u64 address, u64 size)
{
	(void)context;
	(void)size;
	return (u8 *)(uintptr_t)address;
}

static const struct acpi_memory firmware = { reach_firmware, NULL };

static u64 find_root(const EFI_SYSTEM_TABLE *table)
{
	for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *entry = &table->ConfigurationTable[i];

		if (entry->VendorGuid.Data1 == acpi_20_guid.Data1 && entry->VendorGuid.Data2 == acpi_20_guid.Data2)
			return (uintptr_t)entry->VendorTable;
	}
	return 0;
}

static void say_sum(const struct acpi_table *table)
{
	u8 sum = 0;

	for (u32 i = 0; i < table->size; i++)
		sum = (u8)(sum + table->bytes[i]);
	say_number(sum ? ", sum WRONG: " : ", sum ", sum);
}

/* One look at all tables; the second finds what the first has left. */
static void look(u64 root)
{
	static const u32 first_processor[] = { 0 };
	struct acpi_walk walk;
	struct acpi_table table, dsdt;
	struct sleep_types types = { 0 };
	struct sleep_ports ports = { 0 };
	u64 address[2];

	acpi_walk_begin(&walk, &firmware, root);
	while (acpi_walk_next(&walk, &table)) {
		struct madt_count count = { 0 };

		if (acpi_is(&table, "APIC")) {
			say_number("edit: MADT result ", madt_keep_only(&table, first_processor, 1, &count));
			say_number(", kept ", count.kept);
			say_number(", cleared ", count.cleared);
			say_sum(&table);
			say("\r\n");
		}
		if (!acpi_is(&table, "FACP"))
			continue;
		sleep_dsdt(&table, address);
		for (u32 i = 0; i < 2; i++) {
			if (!acpi_table_at(&firmware, address[i], &dsdt))
				continue;
			sleep_scan(&dsdt, &types);
			say_number("edit: DSDT hidden ", sleep_hide(&dsdt));
			say_sum(&dsdt);
			say("\r\n");
		}
		sleep_find_ports(&table, &types, &ports);
	}
	say_number("edit: states ", types.states);
	say_number(", unreadable ", types.unreadable);
	for (u32 i = 0; i < ports.count; i++) {
		say_number(", port ", ports.port[i].port);
		say_number(" allows ", ports.port[i].allowed);
	}
	say("\r\n");
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	u64 root = find_root(table);

	(void)self;
	look(root);
	look(root);
	for (const char *c = "Shutdown"; *c; c++)
		out(0x8900, (uint8_t)*c);
	return EFI_SUCCESS;
}
