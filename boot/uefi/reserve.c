/* SPDX-License-Identifier: MIT */
/*
 * Allocates L0's block. Reserved memory stays out of the hands of every later
 * operating system; the kernel hides it from L1 besides.
 */
#include "boot/uefi/reserve.h"

#include "boot/uefi/executable.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/output.h"

#define PAGE UINT64_C(4096)
#define MEGABYTE (UINT64_C(1) << 20)
#define BLOCK_ALIGNMENT (2 * MEGABYTE)
/* Tables for all physical memory are few where they have 1 GB pages: EPT01 and L0's own then need 1 MB each. */
#define BLOCK_COMMON (16 * MEGABYTE)
#define BLOCK_COMMON_1G (4 * MEGABYTE)
#define BLOCK_PER_CPU (4 * MEGABYTE)

/* The highest aligned place in free memory, where the firmware has least of its own; 0: none. */
static u64 find_place(const struct loader *loader, u64 size)
{
	struct memory_map map;
	u64 found = 0;

	if (EFI_ERROR(memory_map_get(loader, &map)))
		return 0;
	for (UINTN i = 0; i < map.count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);
		u64 end = d->PhysicalStart + d->NumberOfPages * PAGE;

		if (d->Type == EfiConventionalMemory && end >= size && ((end - size) & ~(BLOCK_ALIGNMENT - 1)) >= d->PhysicalStart)
			found = (end - size) & ~(BLOCK_ALIGNMENT - 1);
	}
	loader->boot->FreePool(map.bytes);
	return found;
}

/* Nothing is taken but the block: firmware may fill with a pattern what it gets back, at a byte an instruction. */
static bool allocate(struct loader *loader, u64 size)
{
	EFI_PHYSICAL_ADDRESS place = find_place(loader, size);

	if (!place || EFI_ERROR(loader->boot->AllocatePages(AllocateAddress, EfiReservedMemoryType, size / PAGE, &place)))
		return false;
	loader->block_base = place;
	loader->block_size = size;
	return true;
}

EFI_STATUS reserve_block(struct loader *loader, UINTN cpus)
{
	u64 rings = cpus * ((u64)loader->config.trace << 10);
	u64 size = (loader->machine.has_1g_pages ? BLOCK_COMMON_1G : BLOCK_COMMON) + cpus * BLOCK_PER_CPU +
		   ((rings + BLOCK_ALIGNMENT - 1) & ~(BLOCK_ALIGNMENT - 1));

	if (!allocate(loader, size)) {
		complain("the firmware has no %lu MB of memory in one piece for Testudo", size / MEGABYTE);
		return EFI_OUT_OF_RESOURCES;
	}
	if (!make_executable(loader->boot, loader->block_base, loader->block_size)) {
		complain("the firmware maps reserved memory non-executable and offers no way to change that; "
			 "look for \"memory protection\" or \"NX\" in its setup and turn it off");
		release_block(loader);
		return EFI_UNSUPPORTED;
	}
	say("reserved %lu MB for L0 at 0x%lx (%lu processor%s)", size / MEGABYTE, loader->block_base, (u64)cpus,
	    cpus == 1 ? "" : "s");
	return EFI_SUCCESS;
}

void release_block(struct loader *loader)
{
	if (loader->block_size)
		loader->boot->FreePages(loader->block_base, loader->block_size / PAGE);
	loader->block_base = 0;
	loader->block_size = 0;
}
