/* SPDX-License-Identifier: MIT */
/*
 * The ACPI table from which an operating system learns what processors there are
 * (signature APIC): those that must not be started are taken out of it. Pure.
 */
#pragma once

#include "boot/uefi/acpi.h"

enum madt_result {
	MADT_DONE,
	MADT_BROKEN,	/* an entry's length cannot be; nothing was changed */
	MADT_STUCK	/* the memory does not take the change */
};

struct madt_count {
	u32 kept;	/* entries that may be started, before and after */
	u32 cleared;	/* entries that could be started, and no longer can */
};

/* Entries of processors that are not in `apic_ids` lose "Enabled" and "Online Capable". Adds to `count`. */
enum madt_result madt_keep_only(const struct acpi_table *madt, const u32 *apic_ids, u32 id_count, struct madt_count *count);
