/* SPDX-License-Identifier: MIT */
/*
 * Page tables and extended page tables. Both have nine bits a level and the
 * same bit 7 for a large page, so one walk serves both: shift = 12 + 9 for
 * each level above 1.
 */
#include "tests/guests/lib/paging.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/vmx_bits.h"
#include "tests/guests/lib/x86.h"

#define ADDRESS_MASK 0x000ffffffffff000ull
#define SIZE_2MB (2ull << 20)

/* Replaces a large page by a table of the next smaller ones. */
static void split(u64 *entry, u32 level, u64 table_flags)
{
	u64 *table = page_alloc();
	u64 step = 1ull << (12 + 9 * (level - 2));
	u64 flags = *entry & ~ADDRESS_MASK & (level == 2 ? ~BIT(7) : ~0ull);
	u64 base = *entry & ADDRESS_MASK;

	for (u64 i = 0; i < 512; i++)
		table[i] = (base + i * step) | flags;
	*entry = (u64)table | table_flags;
}

u64 *paging_entry(u64 root, u64 address, u32 level, u64 table_flags)
{
	u64 *table = (u64 *)(root & ADDRESS_MASK);

	for (u32 at = 4;; at--) {
		u64 *entry = &table[address >> (12 + 9 * (at - 1)) & 511];

		if (at == level)
			return entry;
		if (!(*entry & 7))
			*entry = (u64)page_alloc() | table_flags;
		else if (*entry & BIT(7))
			split(entry, at, table_flags);
		table = (u64 *)(*entry & ADDRESS_MASK);
	}
}

u64 paging_identity(u64 flags)
{
	u64 root = (u64)page_alloc();

	for (u64 at = 0; at < IDENTITY_LIMIT; at += SIZE_2MB)
		*paging_entry(root, at, 2, PTE_P | PTE_W | PTE_U) = at | PTE_P | PTE_PS | flags;
	return root;
}

u64 *ept_entry(u64 root, u64 address, u32 level)
{
	return paging_entry(root, address, level, EPT_RWX);
}

/* The last gigabyte holds devices: uncacheable, as the MTRRs have it. */
u64 ept_identity(void)
{
	u64 root = (u64)page_alloc();

	for (u64 at = 0; at < (4ull << 30); at += SIZE_2MB)
		*ept_entry(root, at, 2) =
			at | EPT_RWX | EPT_LARGE |
			(at < (3ull << 30) ? EPT_MEMORY_TYPE_WB : EPT_MEMORY_TYPE_UC);
	return root;
}
