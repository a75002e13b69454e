/* SPDX-License-Identifier: MIT */
/* ACPI tables in a memory of a few pages, for tests. */
#include <string.h>

#include "tests/unit/acpi_world.h"

static u8 *reach(void *context, u64 address, u64 size)
{
	struct acpi_world *world = context;

	return address <= WORLD_SIZE && size <= WORLD_SIZE - address ? world->bytes + address : NULL;
}

void acpi_world_init(struct acpi_world *world)
{
	memset(world, 0, sizeof(*world));
	world->memory = (struct acpi_memory){ reach, world };
}

void acpi_world_set(struct acpi_world *world, u32 at, u64 value, u32 size)
{
	for (u32 i = 0; i < size; i++)
		world->bytes[at + i] = (u8)(value >> (8 * i));
}

struct acpi_table acpi_world_put(struct acpi_world *world, u32 address, const char *signature, const u8 *body, u32 size)
{
	struct acpi_table table = { world->bytes + address, size };

	memcpy(table.bytes, signature, 4);
	acpi_world_set(world, address + 4, size, 4);
	memcpy(table.bytes + ACPI_HEADER_SIZE, body, size - ACPI_HEADER_SIZE);
	acpi_mend_checksum(&table);
	return table;
}

void acpi_world_root(struct acpi_world *world, u8 revision, u32 rsdt, u64 xsdt)
{
	memcpy(world->bytes + WORLD_RSDP, "RSD PTR ", 8);
	world->bytes[WORLD_RSDP + 15] = revision;
	acpi_world_set(world, WORLD_RSDP + 16, rsdt, 4);
	acpi_world_set(world, WORLD_RSDP + 24, xsdt, 8);
}

bool acpi_world_sum_is_0(const struct acpi_table *table)
{
	u8 sum = 0;

	for (u32 i = 0; i < table->size; i++)
		sum = (u8)(sum + table->bytes[i]);
	return sum == 0;
}
