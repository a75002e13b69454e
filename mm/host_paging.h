/* SPDX-License-Identifier: MIT */
/*
 * L0's own page tables, one set for all CPUs: the block at VA = PA with W^X and
 * guard pages, a device, all other memory in the direct map. Nothing else is mapped, and
 * page 0 of the linear address space never is. Built once, constant after.
 */
#pragma once

#include "arch/compiler.h"
#include "mm/addr.h"

struct host_paging {
	u64 *pml4;
	u64 *pml5;			/* for CPUs whose firmware runs with CR4.LA57 */
	u64 direct_map_size;
};

/*
 * `ram_end` is the end of the firmware's memory map; it bounds the direct map
 * on processors without 1 GB pages. False when the block is used up.
 */
bool host_paging_build(struct host_paging *paging, hpa_t block_base, u64 block_size, u64 ram_end) must_check;

/* A page of a device's registers, uncached, at VA = PA, where the firmware's tables have it, too. False without memory for tables. */
bool host_paging_map_device(struct host_paging *paging, hpa_t page) must_check;

/* Takes a page of the block out of the map: an access faults. */
void host_paging_guard(struct host_paging *paging, const void *page);

/* The value for CR3, for this setting of CR4.LA57. */
u64 host_paging_cr3(const struct host_paging *paging, bool la57);
