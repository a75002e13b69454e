/* SPDX-License-Identifier: MIT */
/*
 * For tests of EPT02, behaviour by behaviour: a world whose EPT12 is written entry by entry, one page table for
 * L2's first 2 MB, and misses at its addresses.
 */
#pragma once

#include "mm/ept.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/ept_world.h"

#define CAPS (EPT_CAP_EXECUTE_ONLY | EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_UNCACHEABLE | EPT_CAP_2M | EPT_CAP_1G | \
	      EPT_CAP_INVEPT | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_ADVANCED_EXIT_INFORMATION)
#define PAGES 128

#define PML4 WORLD_TABLES_AT
#define PDPT (PML4 + 0x1000)
#define PD (PML4 + 0x2000)
#define PT (PML4 + 0x3000)
#define EPTP (PML4 | 3 << 3 | MEMORY_WB)
#define EPTP_FLAGS (EPTP | EPTP_ACCESSED_DIRTY)
#define WB ((u64)MEMORY_WB << 3)

/* Qualification bits of an ordinary access to a translated linear address. */
#define LINEAR (BIT(7) | BIT(8))

static struct world world;

static inline void put(u64 at, u64 value)
{
	u64 *entry = phys_to_ptr(hpa(at));

	*entry = value;
}

static inline u64 get(u64 at)
{
	const u64 *entry = phys_to_ptr(hpa(at));

	return *entry;
}

/* A world whose EPT12 maps L2's first 2 MB through a page table that is still empty. */
static inline int begin(void **state)
{
	(void)state;
	world_begin(&world, CAPS, CAPS, PAGES);
	put(PML4, PDPT | EPT_RWX);
	put(PDPT, PD | EPT_RWX);
	put(PD, PT | EPT_RWX);
	return 0;
}

static inline struct ept02_result touch_as(u64 eptp12, u64 address, u64 qualification)
{
	const struct ept02_miss miss = { .eptp12 = eptp12, .address = l2_gpa(address), .qualification = qualification };
	struct ept02_result result = ept02_handle(&world.ept02, &miss);

	model_audit(&world.ept02);
	return result;
}

/* What hardware finds in EPT02, without any cache and without an entry to L2; value 0 where that is nothing. */
static inline struct ept_translation seen_by(u64 eptp12, u64 address)
{
	u64 faulted = world.ept02.faulted_eptp12, eptp02;
	struct ept tables;
	struct ept_translation found;

	world.ept02.faulted_eptp12 = 0;
	eptp02 = ept02_eptp(&world.ept02, eptp12);
	world.ept02.faulted_eptp12 = faulted;
	tables = (struct ept){ .root = phys_to_ptr(hpa(eptp02 & EPTP_ADDRESS)),
			      .levels = (u8)(field_get(eptp02, EPTP_WALK_LENGTH) + 1) };
	found = ept_lookup(&tables, address);
	if (!(found.value & EPT_PERMISSIONS))
		found.value = 0;
	return found;
}

static inline struct ept_translation seen(u64 address)
{
	return seen_by(EPTP, address);
}

static inline void forget_flushes(void)
{
	(void)ept02_take_flush(&world.ept02, EPTP);
	(void)ept02_take_flush(&world.ept02, EPTP_FLAGS);
	assert_false(world.ept02.flush_needed);
}
