/* SPDX-License-Identifier: MIT */
/*
 * The firmware's own console, as its ACPI table SPCR ("Serial Port Console
 * Redirection Table") has it. Pure.
 */
#pragma once

#include "boot/handoff.h"
#include "boot/uefi/acpi.h"

/* False when the table is none, or its port no 16550. */
bool spcr_read(const struct acpi_table *table, struct handoff_uart *uart);
