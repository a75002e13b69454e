/* SPDX-License-Identifier: MIT */
/*
 * The firmware's ACPI tables: what the loader reads in them, and takes out of them.
 */
#pragma once

#include "boot/uefi/loader.h"

/* The ACPI root pointer's address, or 0. */
u64 acpi_root(const EFI_SYSTEM_TABLE *system);

/* The port of the firmware's own console (SPCR); false: it names none that is a 16550. */
bool firmware_console(const struct loader *loader, struct handoff_uart *uart);

/* Fills loader->sleep; changes nothing. */
void look_for_sleep(struct loader *loader);

/* Hides from L1 the sleep states that would lose Testudo, and says what is refused. */
void hide_sleep(const struct loader *loader);

/* Takes all processors but those that were launched out of the MADT. NULL, or why it cannot be done. */
const char *hide_in_madt(const struct loader *loader, u32 *cleared);
