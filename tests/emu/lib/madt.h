/* SPDX-License-Identifier: MIT */
/*
 * Makes an ACPI MADT ("Multiple APIC Description Table" of the ACPI specification) of a PC with one I/O APIC, as the i440fx chipset has it.
 *
 * madt_begin, one madt_add_processor for each, madt_end. Whoever installs the table computes its checksum.
 */
#pragma once

#include <efi.h>

#define MADT_SIZE 8192

struct madt {
	UINT8 *table; /* MADT_SIZE bytes */
	UINTN length;
};

void madt_begin(struct madt *madt, UINT8 *table);

/* 0 when there is no room left. */
int madt_add_processor(struct madt *madt, UINT32 number, UINT32 apic_id, int enabled);

void madt_end(struct madt *madt);
