// SPDX-License-Identifier: MIT
/*
 * See madt.h. Entries are named as in the ACPI specification, "Interrupt Controller Structure Types".
 */
#include "tests/emu/lib/madt.h"

#define LOCAL_APIC_ADDRESS 0xfee00000u
#define LARGEST_XAPIC_ID 254
#define TAIL 64 /* room for the entries that madt_end adds */

enum { LOCAL_APIC = 0, IO_APIC = 1, SOURCE_OVERRIDE = 2, LOCAL_APIC_NMI = 4, LOCAL_X2APIC = 9 };

/* A pragma, as gnu-efi's headers take away attributes. */
#pragma pack(push, 1)

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
	uint32_t local_apic_address, flags; /* bit 0: there are two 8259 as well */
};

struct local_apic {
	uint8_t type, length, processor, apic_id;
	uint32_t enabled;
};

struct local_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, enabled, processor;
};

struct io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, first_interrupt;
};

struct source_override {
	uint8_t type, length, bus, source;
	uint32_t interrupt;
	uint16_t flags;
};

struct local_apic_nmi {
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
};

#pragma pack(pop)

_Static_assert(sizeof(struct header) == 44 && sizeof(struct local_apic) == 8 && sizeof(struct local_x2apic) == 16, "ACPI's layouts");
_Static_assert(sizeof(struct io_apic) == 12 && sizeof(struct source_override) == 10, "ACPI's layouts");
_Static_assert(sizeof(struct local_apic_nmi) == 6, "ACPI's layout");

static void add(struct madt *madt, const void *entry, size_t size)
{
	const uint8_t *from = entry;

	for (size_t i = 0; i < size; i++)
		madt->table[madt->length++] = from[i];
}

void madt_begin(struct madt *madt, uint8_t *table)
{
	static const struct header header = {
		.signature = { 'A', 'P', 'I', 'C' }, .revision = 4,
		.oem_id = { 'T', 'E', 'S', 'T', 'U', 'D' }, .oem_table_id = { 'T', 'E', 'S', 'T', 'M', 'A', 'D', 'T' },
		.oem_revision = 1, .creator_id = { 'T', 'E', 'S', 'T' }, .creator_revision = 1,
		.local_apic_address = LOCAL_APIC_ADDRESS, .flags = 1,
	};

	madt->table = table;
	madt->length = 0;
	add(madt, &header, sizeof header);
}

int madt_add_processor(struct madt *madt, uint32_t number, uint32_t apic_id, int enabled)
{
	if (madt->length + sizeof(struct local_x2apic) + TAIL > MADT_SIZE)
		return 0;
	if (apic_id <= LARGEST_XAPIC_ID && number <= LARGEST_XAPIC_ID)
		add(madt, &(struct local_apic){ LOCAL_APIC, sizeof(struct local_apic), (uint8_t)number, (uint8_t)apic_id, !!enabled },
		    sizeof(struct local_apic));
	else
		add(madt, &(struct local_x2apic){ LOCAL_X2APIC, sizeof(struct local_x2apic), 0, apic_id, !!enabled, number },
		    sizeof(struct local_x2apic));
	return 1;
}

/* LINT1 of every processor is the NMI: so it is on every PC. */
void madt_end(struct madt *madt, uint8_t io_apic_id, uint32_t timer_input)
{
	add(madt, &(struct io_apic){ IO_APIC, sizeof(struct io_apic), io_apic_id, 0, MADT_IO_APIC_ADDRESS, 0 }, sizeof(struct io_apic));
	if (timer_input)
		add(madt, &(struct source_override){ SOURCE_OVERRIDE, sizeof(struct source_override), 0, 0, timer_input, 0 },
		    sizeof(struct source_override));
	add(madt, &(struct local_apic_nmi){ LOCAL_APIC_NMI, sizeof(struct local_apic_nmi), 0xff, 0, 1 },
	    sizeof(struct local_apic_nmi));
	((struct header *)madt->table)->length = (uint32_t)madt->length;
}
