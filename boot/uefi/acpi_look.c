/* SPDX-License-Identifier: MIT */
/*
 * Lets acpi.c, madt.c and sleep_states.c look at the real tables, which the
 * firmware maps where they are. Decides nothing about their content.
 */
#include "boot/uefi/acpi_look.h"

#include "arch/compiler.h"
#include "arch/string.h"
#include "boot/uefi/acpi.h"
#include "boot/uefi/executable.h"
#include "boot/uefi/madt.h"
#include "boot/uefi/output.h"
#include "boot/uefi/spcr.h"
#include "boot/uefi/text.h"

#define PAGE UINT64_C(4096)
/* Where canonical addresses of 48 bits have their lower half's end. */
#define ADDRESS_END (UINT64_C(1) << 47)

static EFI_GUID acpi_20_table = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
static EFI_GUID acpi_10_table = { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } };

static u8 *reach(void *context, u64 address, u64 size)
{
	(void)context;
	if (address >= ADDRESS_END || size >= ADDRESS_END)
		return NULL;
	/* A list may name what is not there. */
	for (u64 page = address & ~(PAGE - 1); page < address + size; page += PAGE)
		if (!is_mapped(page))
			return NULL;
	return (u8 *)(uintptr_t)address;
}

static const struct acpi_memory memory = { reach, NULL };

static bool is_same(const EFI_GUID *a, const EFI_GUID *b)
{
	return !memcmp(a, b, sizeof(*a));
}

u64 acpi_root(const EFI_SYSTEM_TABLE *system)
{
	u64 rsdp = 0;

	for (UINTN i = 0; i < system->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *table = &system->ConfigurationTable[i];

		if (is_same(&table->VendorGuid, &acpi_20_table))
			return (u64)(uintptr_t)table->VendorTable;
		if (is_same(&table->VendorGuid, &acpi_10_table))
			rsdp = (u64)(uintptr_t)table->VendorTable;
	}
	return rsdp;
}

/* Calls `visit` on each DSDT and SSDT; one that is named twice is visited twice. */
static void for_each_block(const struct loader *loader, void (*visit)(const struct acpi_table *block, void *context), void *context)
{
	struct acpi_walk walk;
	struct acpi_table table, dsdt;
	u64 address[2];

	acpi_walk_begin(&walk, &memory, acpi_root(loader->system));
	while (acpi_walk_next(&walk, &table)) {
		if (acpi_is(&table, "SSDT") || acpi_is(&table, "PSDT"))
			visit(&table, context);
		if (!acpi_is(&table, "FACP"))
			continue;
		sleep_dsdt(&table, address);
		for (u32 i = 0; i < array_size(address); i++)
			if (acpi_table_at(&memory, address[i], &dsdt) && acpi_is(&dsdt, "DSDT"))
				visit(&dsdt, context);
	}
}

static void scan(const struct acpi_table *block, void *types)
{
	sleep_scan(block, types);
}

static void hide(const struct acpi_table *block, void *count)
{
	*(u32 *)count += sleep_hide(block);
}

void look_for_sleep(struct loader *loader)
{
	struct acpi_walk walk;
	struct acpi_table table;

	for_each_block(loader, scan, &loader->sleep_types);
	acpi_walk_begin(&walk, &memory, acpi_root(loader->system));
	while (acpi_walk_next(&walk, &table))
		if (acpi_is(&table, "FACP"))
			sleep_find_ports(&table, &loader->sleep_types, &loader->sleep_ports);
}

bool firmware_console(const struct loader *loader, struct handoff_uart *uart)
{
	struct acpi_walk walk;
	struct acpi_table table;

	acpi_walk_begin(&walk, &memory, acpi_root(loader->system));
	while (acpi_walk_next(&walk, &table))
		if (spcr_read(&table, uart))
			return true;
	return false;
}

static void complain_of_sleep(const struct loader *loader)
{
	const struct sleep_ports *ports = &loader->sleep_ports;
	const u8 power_off = 1u << 5;

	if (ports->in_memory)
		complain("a sleep control register lies in memory and is not watched: L1 must not use it for suspend to RAM");
	if (ports->too_many)
		complain("the ACPI tables name more than %u sleep ports; the others are not watched", HANDOFF_SLEEP_PORTS);
	if (ports->count && (!(loader->sleep_types.states & power_off) || (loader->sleep_types.unreadable & power_off)))
		complain("the ACPI tables do not say plainly how to switch off (\\_S5_), so L1 cannot do it by them");
}

void hide_sleep(const struct loader *loader)
{
	const struct sleep_ports *ports = &loader->sleep_ports;
	struct sleep_types left = { 0 };
	char list[HANDOFF_SLEEP_PORTS * 8] = "";
	size_t length = 0;
	u32 hidden_states = 0;

	for_each_block(loader, hide, &hidden_states);
	for_each_block(loader, scan, &left);
	if (left.lost[0] | left.lost[1])
		complain("the ACPI tables cannot be changed: L1 sees a suspend to RAM that is refused to it");
	complain_of_sleep(loader);
	for (u32 i = 0; i < ports->count; i++)
		length += text_format(list + length, sizeof(list) - length, " 0x%x", ports->port[i].port);
	if (ports->count)
		say("suspend to RAM is refused to L1: %u sleep state%s hidden, watching port%s%s", hidden_states,
		    hidden_states == 1 ? "" : "s", ports->count == 1 ? "" : "s", list);
}

const char *hide_in_madt(const struct loader *loader, u32 *cleared)
{
	struct acpi_walk walk;
	struct acpi_table table;
	struct madt_count count = { 0 };
	enum madt_result result = MADT_DONE;

	acpi_walk_begin(&walk, &memory, acpi_root(loader->system));
	while (result == MADT_DONE && acpi_walk_next(&walk, &table))
		if (acpi_is(&table, "APIC"))
			result = madt_keep_only(&table, loader->launched_apic_id, loader->launched, &count);
	*cleared = count.cleared;
	switch (result) {
	case MADT_DONE: return NULL;
	case MADT_BROKEN: return "the firmware's table of processors (ACPI MADT) is malformed";
	case MADT_STUCK: return "the firmware's table of processors (ACPI MADT) cannot be changed";
	}
	return NULL;
}
