/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/madt.h. ACPI "Multiple APIC Description Table (MADT)". All entries
 * are walked once to judge their lengths before the first is changed.
 */
#include "boot/uefi/madt.h"

#define FIRST_ENTRY 44

/* ACPI "Processor Local APIC Structure" and "Processor Local x2APIC Structure". */
enum { LOCAL_APIC = 0, LOCAL_X2APIC = 9 };

static const struct layout {
	u8 type, size, id_at, id_size, flags_at;
} layouts[] = {
	{ LOCAL_APIC, 8, 3, 1, 4 },
	{ LOCAL_X2APIC, 16, 4, 4, 8 },
};

/* "Local APIC Flags": Enabled, Online Capable; both in the lowest byte. */
#define MAY_BE_STARTED 3u

static const struct layout *layout_of(const struct acpi_table *madt, u32 at)
{
	for (u32 i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (madt->bytes[at] == layouts[i].type && madt->bytes[at + 1] >= layouts[i].size)
			return &layouts[i];
	return NULL;
}

/* A processor entry that is too short for its kind cannot be edited, so it is as bad as one without an end. */
static bool is_sound(const struct acpi_table *madt)
{
	u32 at = FIRST_ENTRY;

	if (madt->size < FIRST_ENTRY)
		return false;
	while (madt->size - at >= 2) {
		u8 type = madt->bytes[at], size = madt->bytes[at + 1];

		if (size < 2 || size > madt->size - at)
			return false;
		if ((type == LOCAL_APIC || type == LOCAL_X2APIC) && !layout_of(madt, at))
			return false;
		at += size;
	}
	return true;
}

static bool is_listed(const u32 *apic_ids, u32 id_count, u64 id)
{
	for (u32 i = 0; i < id_count; i++)
		if (apic_ids[i] == id)
			return true;
	return false;
}

/* Volatile: the byte is read back from the memory itself, which might be ROM. */
static bool clear_flags(u8 *flags)
{
	volatile u8 *byte = flags;

	*byte = (u8)(*byte & ~MAY_BE_STARTED);
	return !(*byte & MAY_BE_STARTED);
}

enum madt_result madt_keep_only(const struct acpi_table *madt, const u32 *apic_ids, u32 id_count, struct madt_count *count)
{
	u32 cleared = count->cleared;

	if (!is_sound(madt))
		return MADT_BROKEN;
	for (u32 at = FIRST_ENTRY; madt->size - at >= 2; at += madt->bytes[at + 1]) {
		const struct layout *layout = layout_of(madt, at);

		if (layout == NULL || !(madt->bytes[at + layout->flags_at] & MAY_BE_STARTED))
			continue;
		if (is_listed(apic_ids, id_count, acpi_number(madt, at + layout->id_at, layout->id_size))) {
			count->kept++;
			continue;
		}
		if (!clear_flags(madt->bytes + at + layout->flags_at))
			return MADT_STUCK;
		count->cleared++;
	}
	if (count->cleared != cleared)
		acpi_mend_checksum(madt);
	return MADT_DONE;
}
