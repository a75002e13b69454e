/* SPDX-License-Identifier: MIT */
/*
 * Gathers what the kernel is told: processors, memory map, ACPI root, console.
 * Everything is copied; the kernel gets no pointer into firmware memory.
 */
#include "boot/uefi/handoff_fill.h"

#include "arch/string.h"
#include "boot/uefi/mp_services.h"
#include "boot/uefi/output.h"
#include "boot/uefi/ports.h"

#define PAGE UINT64_C(4096)

static EFI_GUID mp_services_protocol = MP_SERVICES_GUID;
static EFI_GUID acpi_20_table = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
static EFI_GUID acpi_table = { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } };

static struct {
	struct handoff_cpu cpu[HANDOFF_MAX_CPUS];
	u32 count;
} chosen;

/* CPUID.1:EBX[31:24]. */
static u32 own_apic_id(void)
{
	u32 leaf[4];

	read_cpuid(1, 0, leaf);
	return leaf[1] >> 24;
}

static void choose(struct loader *loader, u32 apic_id, UINTN number, bool is_boot_processor)
{
	chosen.cpu[chosen.count] = (struct handoff_cpu){ apic_id, is_boot_processor };
	loader->processor_number[chosen.count++] = number;
}

/* How many others than the boot processor the configuration and the handoff allow. */
static u32 others_allowed(const struct loader *loader)
{
	if (loader->config.cpus == CONFIG_ALL_CPUS || loader->config.cpus > HANDOFF_MAX_CPUS)
		return HANDOFF_MAX_CPUS - 1;
	return loader->config.cpus - 1;
}

UINTN list_processors(struct loader *loader)
{
	struct mp_services *mp;
	UINTN count = 0, enabled = 0;
	u32 others = others_allowed(loader);

	chosen.count = 0;
	loader->processors_present = 0;
	if (EFI_ERROR(loader->boot->LocateProtocol(&mp_services_protocol, NULL, (void **)&mp)) ||
	    EFI_ERROR(mp->get_count(mp, &count, &enabled))) {
		say("the firmware has no MP Services: only this processor is launched");
		choose(loader, own_apic_id(), 0, true);
		loader->processors_present = 1;
		return 1;
	}
	for (UINTN i = 0; i < count; i++) {
		struct processor_information cpu;
		bool is_boot_processor;

		if (EFI_ERROR(mp->get_information(mp, i, &cpu)) || !(cpu.status & PROCESSOR_IS_ENABLED))
			continue;
		loader->processors_present++;
		is_boot_processor = cpu.status & PROCESSOR_IS_BOOT_PROCESSOR;
		if (!is_boot_processor && !others)
			continue;
		others -= !is_boot_processor;
		choose(loader, (u32)cpu.apic_id, i, is_boot_processor);
	}
	if (chosen.count < loader->processors_present)
		say("%u of %lu processors will run under Testudo; the others stay outside of it", chosen.count,
		    (u64)loader->processors_present);
	return chosen.count;
}

static bool is_same(const EFI_GUID *a, const EFI_GUID *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static u64 find_rsdp(const EFI_SYSTEM_TABLE *system)
{
	u64 rsdp = 0;

	for (UINTN i = 0; i < system->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *table = &system->ConfigurationTable[i];

		if (is_same(&table->VendorGuid, &acpi_20_table))
			return (u64)(uintptr_t)table->VendorTable;
		if (is_same(&table->VendorGuid, &acpi_table))
			rsdp = (u64)(uintptr_t)table->VendorTable;
	}
	return rsdp;
}

/* Appends a range, or extends the last one when it goes on with the same type. */
static bool append_range(struct handoff *handoff, const EFI_MEMORY_DESCRIPTOR *d)
{
	struct handoff_range *last = handoff->range_count ? &handoff->ranges[handoff->range_count - 1] : NULL;

	if (last && last->type == d->Type && last->base + last->size == d->PhysicalStart) {
		last->size += d->NumberOfPages * PAGE;
		return true;
	}
	if (handoff->range_count == HANDOFF_MAX_RANGES)
		return false;
	handoff->ranges[handoff->range_count++] = (struct handoff_range){
		.base = d->PhysicalStart, .size = d->NumberOfPages * PAGE, .type = d->Type,
	};
	return true;
}

/* The firmware's map is in no order: takes the descriptor with the least address from `from` on. */
static const EFI_MEMORY_DESCRIPTOR *next_range(const u8 *map, UINTN size, UINTN step, u64 from)
{
	const EFI_MEMORY_DESCRIPTOR *next = NULL;

	for (UINTN at = 0; at + step <= size; at += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map + at);

		if (d->NumberOfPages && d->PhysicalStart >= from && (!next || d->PhysicalStart < next->PhysicalStart))
			next = d;
	}
	return next;
}

static EFI_STATUS copy_memory_map(struct loader *loader, struct handoff *handoff)
{
	const EFI_MEMORY_DESCRIPTOR *d;
	UINTN size = 0, key, step;
	UINT32 version;
	u8 *map;
	u64 from = 0;
	EFI_STATUS status;

	loader->boot->GetMemoryMap(&size, NULL, &key, &step, &version);
	/* The allocation itself may split a range or two. */
	size += 8 * step;
	status = loader->boot->AllocatePool(EfiLoaderData, size, (void **)&map);
	if (EFI_ERROR(status))
		return status;
	status = loader->boot->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)(void *)map, &key, &step, &version);
	while (!EFI_ERROR(status) && (d = next_range(map, size, step, from)) != NULL) {
		if (!append_range(handoff, d)) {
			complain("the memory map has more than %u ranges; those from 0x%lx on are left out",
				 HANDOFF_MAX_RANGES, (u64)d->PhysicalStart);
			break;
		}
		from = d->PhysicalStart + d->NumberOfPages * PAGE;
	}
	loader->boot->FreePool(map);
	return status;
}

EFI_STATUS fill_handoff(struct loader *loader)
{
	u64 behind_image = loader->block_base + loader->kernel.size;
	struct handoff *handoff = (struct handoff *)(uintptr_t)behind_image;
	u64 end = (behind_image + sizeof(*handoff) + PAGE - 1) & ~(PAGE - 1);

	memset(handoff, 0, sizeof(*handoff));
	handoff->magic = HANDOFF_MAGIC;
	handoff->version = HANDOFF_VERSION;
	handoff->size = sizeof(*handoff);
	handoff->block_base = loader->block_base;
	handoff->block_size = loader->block_size;
	handoff->image_base = loader->block_base;
	handoff->image_size = loader->kernel.size;
	handoff->free_base = end;
	handoff->rsdp = find_rsdp(loader->system);
	handoff->log_level = loader->config.log;
	handoff->show_cpuid_leaves = loader->config.leaves;
	handoff->console.kind = output_port() ? CONSOLE_PORT_16550 : CONSOLE_NONE;
	handoff->console.base = output_port();
	/* The loader has already set the speed where the firmware had not. */
	handoff->console.baud = 0;
	handoff->cpu_count = chosen.count;
	memcpy(handoff->cpus, chosen.cpu, chosen.count * sizeof(chosen.cpu[0]));
	loader->handoff = handoff;
	return copy_memory_map(loader, handoff);
}
