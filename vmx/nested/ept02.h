/* SPDX-License-Identifier: MIT */
/*
 * EPT02: the tables that translate for L2 on hardware, composed from EPT12 and
 * EPT01. They behave as the TLB of the SDM ("EPT Translation Mechanism",
 * "Operations that Invalidate Cached Mappings"): filled on a miss, keyed by
 * EPTP12, dropped on INVEPT, never caching a not-present or misconfigured
 * entry. One pool per CPU; a pool that runs out recycles. Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"

#define EPT02_ROOTS 8	/* EPTP12 values kept at a time */

/* Access that missed; the bits of the exit qualification of reason 48. SDM "Exit Qualification for EPT Violations". */
#define EPT_ACCESS_READ BIT(0)
#define EPT_ACCESS_WRITE BIT(1)
#define EPT_ACCESS_EXECUTE BIT(2)

enum ept02_outcome {
	EPT02_FILLED,		/* EPT02 now has the translation: resume L2 */
	EPT02_VIOLATION,	/* EPT12 forbids it: reflect reason 48 with `qualification` */
	EPT02_MISCONFIGURED	/* an entry of EPT12 is bad: reflect reason 49 */
};

struct ept02_result {
	enum ept02_outcome outcome;
	u64 qualification;	/* for EPT02_VIOLATION: the complete value for vmcs12 */
};

struct ept02_root {
	u64 eptp12;		/* as in vmcs12; 0: free */
	u64 *table;		/* the root page in L0's memory */
	u64 last_used;
};

/* A CPU's EPT02 tables and their pages. */
struct ept02 {
	const struct l1_memory *memory;
	const struct vmx_caps *hardware;	/* of the real processor: page sizes, A/D, execute-only */
	const struct vmx_caps *offered;		/* as shown to L1: what an EPT12 entry may say */
	struct ept02_root roots[EPT02_ROOTS];
	u64 *free_list;				/* pages, linked by their first word */
	u64 free_pages, pages;			/* now free, and in all */
	u64 clock;				/* for last_used */
	bool flush_needed;			/* a table page went back to the pool: the caller must INVEPT before it enters L2 */
	u64 fills, recycled;			/* counters */
};

/*
 * Gives the tables `count` pages of L0's memory in a row, at `first` (a page
 * each for at least EPT02_ROOTS * 5). Nothing is allocated later.
 */
void ept02_init(struct ept02 *ept02, const struct l1_memory *memory, const struct vmx_caps *hardware,
		const struct vmx_caps *offered, void *first, u64 count);

/*
 * The EPTP for hardware that stands for `eptp12` (which passed the entry
 * checks); makes an empty root when there is none.
 */
u64 ept02_eptp(struct ept02 *ept02, u64 eptp12);

/*
 * L2 missed at `address`: `qualification` is hardware's of reason 48 (or, for
 * reason 49, 0 with `misconfiguration` true). Walks EPT12, sets its accessed and
 * dirty bits as the processor would, and fills EPT02, or says who is at fault.
 */
struct ept02_result ept02_handle(struct ept02 *ept02, u64 eptp12, l2_gpa_t address, u64 qualification,
				 bool misconfiguration);

/* INVEPT by L1: forget what was composed from this EPTP12, or from all. */
void ept02_invalidate_single(struct ept02 *ept02, u64 eptp12);
void ept02_invalidate_all(struct ept02 *ept02);
