/* SPDX-License-Identifier: MIT */
/*
 * Gathers what the kernel is told: processors, memory map, ACPI root, console.
 * Everything is copied; the kernel gets no pointer into firmware memory.
 */
#include "boot/uefi/handoff_fill.h"

#include "arch/string.h"
#include "boot/uefi/acpi_look.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/output.h"

#define PAGE UINT64_C(4096)

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

static EFI_STATUS copy_memory_map(struct loader *loader, struct handoff *handoff)
{
	struct memory_map map;
	u64 from = 0;
	EFI_STATUS status = memory_map_get(loader, &map);

	if (EFI_ERROR(status))
		return status;
	for (UINTN i = 0; i < map.count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);

		/* Should two overlap, the later one is left out. */
		if (!d->NumberOfPages || d->PhysicalStart < from)
			continue;
		if (!append_range(handoff, d)) {
			complain("the memory map has more than %u ranges; those from 0x%lx on are left out",
				 HANDOFF_MAX_RANGES, (u64)d->PhysicalStart);
			break;
		}
		from = d->PhysicalStart + d->NumberOfPages * PAGE;
	}
	loader->boot->FreePool(map.bytes);
	return EFI_SUCCESS;
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
	handoff->rsdp = acpi_root(loader->system);
	handoff->log_level = loader->config.log;
	handoff->show_cpuid_leaves = loader->config.leaves;
	handoff->show_refusals = loader->config.refusals;
	handoff->use_vmcs_shadowing = loader->config.shadowing;
	handoff->hide = loader->config.hide;
	handoff->trace_kilobytes = loader->config.trace;
	output_console(&handoff->console);
	handoff->monitor_key = loader->config.monitor ? loader->config.hotkey : 0;
	handoff->cpu_count = loader->processors;
	memcpy(handoff->cpus, loader->processor, loader->processors * sizeof(loader->processor[0]));
	handoff->sleep_port_count = loader->sleep_ports.count;
	memcpy(handoff->sleep_ports, loader->sleep_ports.port, sizeof(handoff->sleep_ports));
	loader->handoff = handoff;
	return copy_memory_map(loader, handoff);
}
