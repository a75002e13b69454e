/* SPDX-License-Identifier: MIT */
/*
 * Builds L0's page tables: see mm/host_paging.h. SDM "4-Level Paging and
 * 5-Level Paging". Runs on the firmware's tables, where the block is at VA = PA.
 */
#include "mm/host_paging.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "mm/image.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"

#define PTE_PRESENT BIT(0)
#define PTE_WRITE BIT(1)
#define PTE_WRITE_THROUGH BIT(3)
#define PTE_CACHE_DISABLE BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY BIT(6)
#define PTE_LARGE BIT(7)
#define PTE_NO_EXECUTE BIT(63)
#define PTE_ADDRESS BITS(51, 12)

#define TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define READ_ONLY (PTE_PRESENT | PTE_ACCESSED)
#define READ_WRITE (READ_ONLY | PTE_WRITE | PTE_DIRTY)

/* What bounds the direct map: the linear addresses from DIRECT_MAP_BASE that we are ready to give tables to. */
#define DIRECT_MAP_MAX_BITS 46
#define DIRECT_MAP_MAX_WITHOUT_1G (UINT64_C(512) << 30)

static u64 *table_of(u64 entry)
{
	return phys_to_ptr(hpa(entry & PTE_ADDRESS));
}

/*
 * The entry for `address` whose reach is 4 KB << 9 * (level - 1): 1 is the page
 * table. Tables on the way are made where missing; NULL without a page for them.
 */
static u64 *entry_at(struct host_paging *paging, u64 address, unsigned int level)
{
	u64 *table = paging->pml4;

	for (unsigned int at = 4; ; at--) {
		u64 *entry = &table[(address >> (12 + 9 * (at - 1))) & 511];

		if (at == level)
			return entry;
		if (!(*entry & PTE_PRESENT)) {
			void *page = page_alloc();

			if (page == NULL)
				return NULL;
			*entry = phys_of(page).value | TABLE;
		}
		table = table_of(*entry);
	}
}

static u64 no_execute_bit(void)
{
	return bit_is_set(cpuid(0x80000001, 0).edx, 20) ? PTE_NO_EXECUTE : 0;
}

static u64 block_page_rights(u64 page, u64 no_execute)
{
	if (page < (u64)(uintptr_t)image_start || page >= (u64)(uintptr_t)image_rodata_end)
		return READ_WRITE | no_execute;
	if (page < (u64)(uintptr_t)image_text_end)
		return READ_ONLY;
	return READ_ONLY | no_execute;
}

/* In 4 KB pages, so that any of them can become a guard. */
static bool map_block(struct host_paging *paging, u64 base, u64 size, u64 no_execute)
{
	u64 *entry = NULL;

	for (u64 page = base; page < base + size; page += PAGE_SIZE) {
		/* The next one lies beside it, up to the end of the table. */
		entry = entry && page % SIZE_2M ? entry + 1 : entry_at(paging, page, 1);
		if (entry == NULL)
			return false;
		*entry = page | block_page_rights(page, no_execute);
	}
	return true;
}

static bool map_direct(struct host_paging *paging, u64 base, u64 size, bool has_1g, u64 no_execute)
{
	u64 at = 0, step = 0, *entry = NULL;

	while (at < paging->direct_map_size) {
		bool near_block = align_down(at, SIZE_1G) < base + size && align_down(at, SIZE_1G) + SIZE_1G > base;
		u64 next = has_1g && !near_block ? SIZE_1G : SIZE_2M;

		/* Beside the last one, if that is of the same size and not the last of its table. */
		entry = next == step && at % (step * 512) ? entry + 1 : entry_at(paging, DIRECT_MAP_BASE + at, next == SIZE_1G ? 3 : 2);
		step = next;
		if (entry == NULL)
			return false;
		if (step == SIZE_1G || at - base >= size)
			*entry = at | READ_WRITE | PTE_LARGE | no_execute;
		at += step;
	}
	return true;
}

static u64 direct_map_size(u64 ram_end, bool has_1g)
{
	u32 width = cpuid(0x80000008, 0).eax & 0xff;
	u64 size;

	if (has_1g)
		return BIT(width < DIRECT_MAP_MAX_BITS ? width : DIRECT_MAP_MAX_BITS);
	size = align_up(ram_end, SIZE_1G);
	if (size < 4 * SIZE_1G)
		size = 4 * SIZE_1G;
	return size < DIRECT_MAP_MAX_WITHOUT_1G ? size : DIRECT_MAP_MAX_WITHOUT_1G;
}

bool host_paging_build(struct host_paging *paging, hpa_t block_base, u64 block_size, u64 ram_end)
{
	bool has_1g = bit_is_set(cpuid(0x80000001, 0).edx, 26);
	u64 no_execute = no_execute_bit();

	paging->direct_map_size = direct_map_size(ram_end, has_1g);
	paging->pml4 = page_alloc();
	paging->pml5 = page_alloc();
	if (paging->pml4 == NULL || paging->pml5 == NULL)
		return false;
	/* Canonical addresses of 48 bits have bits 56:48 all alike: the two ends of the PML5 table. */
	paging->pml5[0] = phys_of(paging->pml4).value | TABLE;
	paging->pml5[511] = paging->pml5[0];
	return map_block(paging, block_base.value, block_size, no_execute) &&
	       map_direct(paging, block_base.value, block_size, has_1g, no_execute);
}

bool host_paging_map_device(struct host_paging *paging, hpa_t page)
{
	u64 *entry = entry_at(paging, page.value, 1);

	/* PAT entry 3, which is UC: so it is whatever the MTRRs say, which are L1's. */
	if (entry != NULL)
		*entry = page.value | READ_WRITE | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH | no_execute_bit();
	return entry != NULL;
}

void host_paging_guard(struct host_paging *paging, const void *page)
{
	*entry_at(paging, (u64)(uintptr_t)page, 1) = 0;
}

u64 host_paging_cr3(const struct host_paging *paging, bool la57)
{
	return phys_of(la57 ? paging->pml5 : paging->pml4).value;
}
