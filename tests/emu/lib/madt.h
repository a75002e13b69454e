/* SPDX-License-Identifier: MIT */
/*
 * Makes an ACPI MADT ("Multiple APIC Description Table" of the ACPI specification) of a PC with one I/O APIC: for the machine that OVMF
 * runs on in Bochs, and for the Linux guest inside Linux.
 *
 * madt_begin, one madt_add_processor for each, madt_end. Whoever installs the table computes its checksum.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MADT_SIZE 8192
#define MADT_IO_APIC_ADDRESS 0xfec00000u

struct madt {
	uint8_t *table; /* MADT_SIZE bytes */
	size_t length;
};

void madt_begin(struct madt *madt, uint8_t *table);

/* 0 when there is no room left. */
int madt_add_processor(struct madt *madt, uint32_t number, uint32_t apic_id, int enabled);

/* The input of the I/O APIC to which the timer's interrupt 0 is wired. */
void madt_end(struct madt *madt, uint8_t io_apic_id, uint32_t timer_input);
