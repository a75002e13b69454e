/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables as bytes: from the root pointer to each table, with every length
 * checked before it is used. Edits nothing but checksums. Pure: memory is
 * reached through an argument. The layouts are those of the ACPI specification,
 * "ACPI Software Programming Model".
 */
#pragma once

#include "arch/types.h"

#define ACPI_HEADER_SIZE 36

struct acpi_memory {
	/* A pointer to `size` bytes at a physical address, or NULL when there is no such memory. */
	u8 *(*reach)(void *context, u64 address, u64 size);
	void *context;
};

/* A whole table, header included; `size` is what its header says and memory holds. */
struct acpi_table {
	u8 *bytes;
	u32 size;
};

/* Goes over the tables of XSDT and RSDT; a table that is in both comes twice. */
struct acpi_walk {
	const struct acpi_memory *memory;
	struct acpi_table list[2];	/* XSDT, RSDT; size 0: there is none */
	u32 which;
	u32 at;				/* offset of the next entry in list[which] */
};

void acpi_walk_begin(struct acpi_walk *walk, const struct acpi_memory *memory, u64 rsdp);
bool acpi_walk_next(struct acpi_walk *walk, struct acpi_table *table);

/* False: there is no memory, or its length cannot be. */
bool acpi_table_at(const struct acpi_memory *memory, u64 address, struct acpi_table *table);

/* `signature` has four letters. */
bool acpi_is(const struct acpi_table *table, const char *signature);

/* A little-endian number of 1 to 8 bytes; 0 where the table ends before it, as older versions of a table do. */
u64 acpi_number(const struct acpi_table *table, u32 offset, u32 size);

/* Makes the sum of all bytes 0 again. */
void acpi_mend_checksum(const struct acpi_table *table);
