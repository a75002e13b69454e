// SPDX-License-Identifier: MIT
/*
 * The ACPI tables of a guest with several vCPUs: Linux learns from a MADT which processors there are; Debian's kernel reads no MP table.
 *
 * Root pointer, root table and MADT lie in the BIOS area below 1 MB, where Linux looks for the root pointer. There is no FADT, so Linux
 * says that it cannot enable ACPI and goes on with what the MADT told.
 */
#include "tests/emu/lib/madt.h"
#include "vmm.h"

#include <string.h>

enum { RSDP = 0xe0000, XSDT = 0xe1000, MADT = 0xe2000 };

struct root_pointer {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct root_table {
	struct table_header header;
	uint64_t madt;
} __attribute__((packed));

/* What makes the bytes add up to 0. */
static uint8_t checksum(const void *data, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
	return (uint8_t)-sum;
}

static void write_madt(struct vm *vm)
{
	struct madt madt;

	madt_begin(&madt, vm->memory + MADT);
	for (int i = 0; i < vm->vcpu_count; i++)
		if (!madt_add_processor(&madt, (uint32_t)i, (uint32_t)i, 1))
			fail("the MADT has no room for %d vCPUs", vm->vcpu_count);
	/* KVM's own routing wires interrupt 0 to input 0. */
	madt_end(&madt, 0, 0);

	struct table_header *header = (struct table_header *)(vm->memory + MADT);

	header->checksum = checksum(header, header->length);
}

void acpi_write(struct vm *vm)
{
	struct root_pointer pointer = { .signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' }, .revision = 2,
					.oem_id = { 'T', 'E', 'S', 'T', 'U', 'D' }, .length = sizeof pointer, .xsdt = XSDT };
	struct root_table table = { .header = { .signature = { 'X', 'S', 'D', 'T' }, .length = sizeof table, .revision = 1,
						.oem_id = { 'T', 'E', 'S', 'T', 'U', 'D' } },
				    .madt = MADT };

	write_madt(vm);
	table.header.checksum = checksum(&table, sizeof table);
	pointer.checksum = checksum(&pointer, offsetof(struct root_pointer, length));
	pointer.extended_checksum = checksum(&pointer, sizeof pointer);
	memcpy(vm->memory + XSDT, &table, sizeof table);
	memcpy(vm->memory + RSDP, &pointer, sizeof pointer);
}
