/* SPDX-License-Identifier: MIT */
/*
 * Allocates L0's block. Reserved memory stays out of the hands of every later
 * operating system; the kernel hides it from L1 besides. Some firmware maps
 * reserved memory non-executable, so the permission is asked for.
 */
#include "boot/uefi/reserve.h"

#include "boot/uefi/memory_map.h"
#include "boot/uefi/output.h"
#include "boot/uefi/ports.h"

#define PAGE UINT64_C(4096)
#define MEGABYTE (UINT64_C(1) << 20)
#define BLOCK_ALIGNMENT (2 * MEGABYTE)
/* Tables for all physical memory are few where they have 1 GB pages: EPT01 and L0's own then need 1 MB each. */
#define BLOCK_COMMON (16 * MEGABYTE)
#define BLOCK_COMMON_1G (4 * MEGABYTE)
#define BLOCK_PER_CPU (4 * MEGABYTE)

/* UEFI 2.10, "EFI_MEMORY_ATTRIBUTE_PROTOCOL". */
struct memory_attribute_protocol {
	EFI_STATUS (EFIAPI *get)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 *attributes);
	EFI_STATUS (EFIAPI *set)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 attributes);
	EFI_STATUS (EFIAPI *clear)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 attributes);
};

static EFI_GUID memory_attribute_protocol = {
	0xf4560cf6, 0x40ec, 0x4b4a, { 0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89 }
};

#define ATTRIBUTE_READ_PROTECT UINT64_C(0x2000)
#define ATTRIBUTE_NO_EXECUTE UINT64_C(0x4000)
#define ATTRIBUTE_READ_ONLY UINT64_C(0x20000)

/* Page-table entries: SDM "4-Level Paging and 5-Level Paging". */
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_LARGE UINT64_C(0x80)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

/* May code run at `address`, by the firmware's page tables (identity mapped, 4 levels)? */
static bool is_executable(u64 address)
{
	u64 table = read_cr3() & ENTRY_ADDRESS;

	for (unsigned int shift = 39; shift >= 12; shift -= 9) {
		u64 entry = ((const volatile u64 *)(uintptr_t)table)[(address >> shift) & 511];

		if (!(entry & ENTRY_PRESENT) || (entry & ENTRY_NO_EXECUTE))
			return false;
		if (shift < 39 && (entry & ENTRY_LARGE))
			return true;
		table = entry & ENTRY_ADDRESS;
	}
	return true;
}

static void make_executable(const struct loader *loader)
{
	struct memory_attribute_protocol *protocol;

	if (EFI_ERROR(loader->boot->LocateProtocol(&memory_attribute_protocol, NULL, (void **)&protocol)))
		return;
	protocol->clear(protocol, loader->block_base, loader->block_size,
			ATTRIBUTE_NO_EXECUTE | ATTRIBUTE_READ_ONLY | ATTRIBUTE_READ_PROTECT);
}

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
	u64 size = (loader->machine.has_1g_pages ? BLOCK_COMMON_1G : BLOCK_COMMON) + cpus * BLOCK_PER_CPU;

	if (!allocate(loader, size)) {
		complain("the firmware has no %lu MB of memory in one piece for Testudo", size / MEGABYTE);
		return EFI_OUT_OF_RESOURCES;
	}
	make_executable(loader);
	if (!is_executable(loader->block_base)) {
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
