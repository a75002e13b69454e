/* SPDX-License-Identifier: MIT */
/*
 * A small physical memory with ACPI tables in it, for tests. Everything beyond
 * its end is not there.
 */
#pragma once

#include "boot/uefi/acpi.h"

#define WORLD_SIZE 4096
#define WORLD_RSDP 0x100

struct acpi_world {
	u8 bytes[WORLD_SIZE];
	struct acpi_memory memory;
};

void acpi_world_init(struct acpi_world *world);

/* A table of `size` bytes, header included, with its checksum; what is behind the header comes from `body`. */
struct acpi_table acpi_world_put(struct acpi_world *world, u32 address, const char *signature, const u8 *body, u32 size);

/* RSDP and its lists of tables; an address of 0 leaves the list out. Entries are at `xsdt` + 36 and `rsdt` + 36. */
void acpi_world_root(struct acpi_world *world, u8 revision, u32 rsdt, u64 xsdt);

void acpi_world_set(struct acpi_world *world, u32 at, u64 value, u32 size);

/* Do the table's bytes add up to 0? */
bool acpi_world_sum_is_0(const struct acpi_table *table);
