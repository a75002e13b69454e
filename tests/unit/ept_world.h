/* SPDX-License-Identifier: MIT */
/*
 * A world for EPT02: L1 that edits its tables and forgets or remembers to
 * INVEPT, L2 that touches pages, a processor with stubborn caches, and an
 * account of every translation that L2 may legally see. Its steps come from
 * bytes, so that a property test (random bytes) and a fuzzer share it.
 */
#pragma once

#include "tests/unit/ept_model.h"

/* EPT12's pages in L1's memory: some of each level, so that random links make sense. */
#define WORLD_PML5 1
#define WORLD_PML4 6
#define WORLD_PDPT 4
#define WORLD_PD 5
#define WORLD_PT 6
#define WORLD_TABLES (WORLD_PML5 + WORLD_PML4 + WORLD_PDPT + WORLD_PD + WORLD_PT)
#define WORLD_TABLES_AT UINT64_C(0x100000)

/* Where pages are logged. */
#define WORLD_LOG_AT UINT64_C(0x180000)

/* The sub-page-permission tables, one of each level from the vectors up. */
#define WORLD_SPP_AT UINT64_C(0x184000)
#define WORLD_SPPTP (WORLD_SPP_AT + 0x3000)

/* L2's pages that are looked at. */
#define WORLD_PAGES 54
#define WORLD_VERSIONS 16

struct world_version {
	u64 page, permissions, type;	/* as in struct model_page */
};

/* All that one 4 KB page of one EP4TA may be translated to since it was last invalidated. */
struct world_legal {
	struct world_version version[WORLD_VERSIONS];
	unsigned int versions;
	bool anything;		/* too many to remember */
};

struct world {
	struct l1_memory memory;
	struct vmx_caps hardware, offered;
	struct ept02 ept02;
	struct model_processor processor;
	bool mode_based;	/* some vmcs12s have mode-based execute control */
	bool logging;		/* all have page-modification logging */
	bool sub_pages;		/* all have sub-page write permissions: the processor refuses these writes all the same */
	struct page_log log;
	struct world_legal legal[2][WORLD_PML4 + WORLD_PML5][WORLD_PAGES]; /* by mode-based execute control */
	const u8 *bytes;	/* the steps; NULL: from `random` */
	u64 left;
	u64 random;
	u64 accesses, misses, neighbours, reflected, misconfigured, stale, logged, full, by_sub_page, sub_page_events;	/* seen so far */
};

/* A new world: EPT02 with `pages` pages, a processor with these capabilities. */
void world_begin(struct world *world, u64 ept_vpid_hardware, u64 ept_vpid_offered, u64 pages);

/* Fills L1's tables so that L2's pages are mapped, by pages of all sizes. */
void world_populate(struct world *world);

/* The EPTP12 with number n of WORLD_EPTPS; several share their tables. */
#define WORLD_EPTPS (2 * WORLD_PML4 + WORLD_PML5)
u64 world_eptp(const struct world *world, unsigned int n);
/* L2's page n. */
u64 world_address(unsigned int n);

/* L1 writes an entry of EPT12; no INVEPT. */
void world_write(struct world *world, u64 at, u64 value);
/* L1 executes INVEPT. */
void world_invept(struct world *world, u64 eptp12);
void world_invept_all(struct world *world);
/* L2 accesses page n (bits of the exit qualification, or MODEL_FETCH_USER) until it is done or L1 is told; true when done. */
bool world_access(struct world *world, u64 eptp12, unsigned int n, u64 access, bool page_walk);

/* One step from the bytes; false when they are used up. */
bool world_step(struct world *world);
