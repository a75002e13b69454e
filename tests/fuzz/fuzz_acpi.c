/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables of any bytes, the input being all of physical memory: no step outside
 * of it, every walk ends, and an edited table adds up to 0. The first byte is where
 * the root pointer is.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/uefi/acpi.h"
#include "boot/uefi/madt.h"
#include "boot/uefi/sleep_states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	u8 *bytes;
	size_t size;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static u8 *reach(void *context, u64 address, u64 size)
{
	const struct input *input = context;

	return address <= input->size && size <= input->size - address ? input->bytes + address : NULL;
}

static bool sum_is_0(const struct acpi_table *table)
{
	u8 sum = 0;

	for (u32 i = 0; i < table->size; i++)
		sum = (u8)(sum + table->bytes[i]);
	return sum == 0;
}

static void edit(const struct acpi_table *table, const struct acpi_memory *memory, struct sleep_types *types)
{
	static const u32 ids[] = { 0, 2 };
	struct madt_count count = { 0 }, again = { 0 };
	struct acpi_table dsdt;
	u64 address[2];

	sleep_scan(table, types);
	sleep_dsdt(table, address);
	for (u32 i = 0; i < 2; i++) {
		if (!acpi_table_at(memory, address[i], &dsdt))
			continue;
		sleep_scan(&dsdt, types);
		require(!sleep_hide(&dsdt) || sum_is_0(&dsdt));
	}
	if (madt_keep_only(table, ids, 2, &count) != MADT_DONE)
		return;
	require(!count.cleared || sum_is_0(table));
	/* Unless the checksum lies in an entry, there is nothing left to do. */
	require(madt_keep_only(table, ids, 2, &again) == MADT_DONE && again.cleared == 0 && again.kept == count.kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { malloc(size + 1), size };
	const struct acpi_memory memory = { reach, &input };
	struct sleep_types types = { 0 };
	struct sleep_ports ports = { 0 };
	struct acpi_walk walk;
	struct acpi_table table;

	if (size == 0 || size > 65536) {
		free(input.bytes);
		return 0;
	}
	memcpy(input.bytes, data, size);
	acpi_walk_begin(&walk, &memory, data[0]);
	/* The list itself may be among the tables that are edited: it is walked by what it holds then. */
	while (acpi_walk_next(&walk, &table))
		edit(&table, &memory, &types);
	acpi_walk_begin(&walk, &memory, data[0]);
	while (acpi_walk_next(&walk, &table))
		sleep_find_ports(&table, &types, &ports);
	require(ports.count <= HANDOFF_SLEEP_PORTS);
	for (u32 i = 0; i < ports.count; i++)
		require((ports.port[i].allowed & types.lost[0] & types.lost[1]) == 0);
	free(input.bytes);
	return 0;
}
