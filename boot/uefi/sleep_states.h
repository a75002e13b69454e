/* SPDX-License-Identifier: MIT */
/*
 * What ACPI says about sleep: which registers put the machine to sleep, with
 * which values, and which of those would lose the processors' context and with it
 * Testudo. Looks for definitions byte by byte instead of interpreting AML. Pure.
 */
#pragma once

#include "boot/handoff.h"
#include "boot/uefi/acpi.h"

/* Values of SLP_TYP, bit n standing for value n; [0] for PM1a and for the sleep control register, [1] for PM1b. */
struct sleep_types {
	u8 kept[2];		/* of S1, S4, S5: the processors keep their context, or start anew */
	u8 lost[2];		/* of S2, S3 */
	u8 states;		/* bit n: \_Sn_ is defined */
	u8 unreadable;		/* bit n: but not as a package of constants */
};

/* Adds what a DSDT or SSDT defines. */
void sleep_scan(const struct acpi_table *block, struct sleep_types *types);

/* Renames \_S2_ and \_S3_ to XS2_ and XS3_, so that nobody finds them; returns how many. */
u32 sleep_hide(const struct acpi_table *block);

struct sleep_ports {
	u32 count;
	struct handoff_sleep_port port[HANDOFF_SLEEP_PORTS];
	bool in_memory;		/* a register lies in memory: it is not watched */
	bool too_many;
};

/* Adds the ports of the FADT's sleep registers, each with the values that may pass. */
void sleep_find_ports(const struct acpi_table *fadt, const struct sleep_types *types, struct sleep_ports *ports);

/* The DSDT's addresses that the FADT names: two, either of which may be 0. */
void sleep_dsdt(const struct acpi_table *fadt, u64 address[2]);
