/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/acpi.h. The tables are the firmware's, and firmware has bugs: no
 * length is believed before it has been compared with what holds it.
 */
#include "boot/uefi/acpi.h"

#define HEADER_LENGTH 4
#define HEADER_CHECKSUM 9
/* Longer than any real table; a length beyond it is garbage. */
#define TABLE_LIMIT (UINT32_C(16) << 20)

/* ACPI "Root System Description Pointer (RSDP)". */
#define RSDP_SIZE_1 20
#define RSDP_SIZE_2 36
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_XSDT 24

static u64 number(const u8 *bytes, u32 size)
{
	u64 value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

static bool begins_with(const u8 *bytes, const char *text)
{
	for (u32 i = 0; text[i]; i++)
		if (bytes[i] != (u8)text[i])
			return false;
	return true;
}

bool acpi_table_at(const struct acpi_memory *memory, u64 address, struct acpi_table *table)
{
	const u8 *header = address ? memory->reach(memory->context, address, ACPI_HEADER_SIZE) : NULL;
	u64 size;

	*table = (struct acpi_table){ 0 };
	if (header == NULL)
		return false;
	size = number(header + HEADER_LENGTH, 4);
	if (size < ACPI_HEADER_SIZE || size > TABLE_LIMIT)
		return false;
	table->bytes = memory->reach(memory->context, address, size);
	table->size = table->bytes ? (u32)size : 0;
	return table->size != 0;
}

bool acpi_is(const struct acpi_table *table, const char *signature)
{
	return table->size >= ACPI_HEADER_SIZE && begins_with(table->bytes, signature);
}

u64 acpi_number(const struct acpi_table *table, u32 offset, u32 size)
{
	if (offset > table->size || table->size - offset < size)
		return 0;
	return number(table->bytes + offset, size);
}

void acpi_mend_checksum(const struct acpi_table *table)
{
	u8 sum = 0;

	if (table->size < ACPI_HEADER_SIZE)
		return;
	for (u32 i = 0; i < table->size; i++)
		sum = (u8)(sum + table->bytes[i]);
	table->bytes[HEADER_CHECKSUM] = (u8)(table->bytes[HEADER_CHECKSUM] - sum);
}

void acpi_walk_begin(struct acpi_walk *walk, const struct acpi_memory *memory, u64 rsdp)
{
	const u8 *root = rsdp ? memory->reach(memory->context, rsdp, RSDP_SIZE_1) : NULL;
	bool is_2;

	*walk = (struct acpi_walk){ .memory = memory, .at = ACPI_HEADER_SIZE };
	if (root == NULL || !begins_with(root, "RSD PTR "))
		return;
	is_2 = root[RSDP_REVISION] >= 2 && memory->reach(memory->context, rsdp, RSDP_SIZE_2);
	if (is_2 && acpi_table_at(memory, number(root + RSDP_XSDT, 8), &walk->list[0]) && !acpi_is(&walk->list[0], "XSDT"))
		walk->list[0].size = 0;
	if (acpi_table_at(memory, number(root + RSDP_RSDT, 4), &walk->list[1]) && !acpi_is(&walk->list[1], "RSDT"))
		walk->list[1].size = 0;
}

bool acpi_walk_next(struct acpi_walk *walk, struct acpi_table *table)
{
	static const u8 widths[2] = { 8, 4 };

	for (; walk->which < 2; walk->which++, walk->at = ACPI_HEADER_SIZE) {
		const struct acpi_table *list = &walk->list[walk->which];
		u32 width = widths[walk->which];

		while (list->size >= width && walk->at <= list->size - width) {
			u64 address = acpi_number(list, walk->at, width);

			walk->at += width;
			if (acpi_table_at(walk->memory, address, table))
				return true;
		}
	}
	return false;
}
