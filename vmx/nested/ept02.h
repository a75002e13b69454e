/* SPDX-License-Identifier: MIT */
/*
 * EPT02: the tables that translate for L2 on hardware, composed from EPT12 and
 * EPT01. They behave as the TLB of the SDM ("EPT Translation Mechanism",
 * "Operations that Invalidate Cached Mappings"): filled on a miss, with what is
 * near, keyed by EPTP12, never caching a not-present or misconfigured entry.
 * INVEPT parks the tables: hardware does not reach them until EPT12 has been
 * asked about all that is in them. One pool per CPU; one that runs out
 * recycles. ept02.c has pool and roots, ept02_leaf.c single tables,
 * ept02_fill.c the way through them, ept02_miss.c the judgement, ept02_glance.c
 * the short way. Pure.
 */
#pragma once

#include "mm/ept.h"
#include "mm/l1_memory.h"
#include "vmx/caps.h"
#include "vmx/nested/page_log.h"

#define EPT02_ROOTS 8	/* EPTP12 values kept at a time */
#define EPT02_MIN_PAGES (EPT02_ROOTS * 6)
#define EPT02_WINDOWS 4
#define EPT02_LEAF_LEVELS 3	/* a leaf can be in a table of level 1, 2 or 3 */

/* Access that missed; the bits of the exit qualification of reason 48. SDM "Exit Qualification for EPT Violations". */
#define EPT_ACCESS_READ BIT(0)
#define EPT_ACCESS_WRITE BIT(1)
#define EPT_ACCESS_EXECUTE BIT(2)

/*
 * With an EPTP12 whose vmcs12 has "mode-based execute control for EPT": entries mean something else then, so
 * it takes another root. A bit that no EPTP which passed the checks can have.
 */
#define EPT02_MODE_BASED BIT(63)

enum ept02_outcome {
	EPT02_FILLED,		/* EPT02 now has the translation: resume L2 */
	EPT02_VIOLATION,	/* EPT12 forbids it: reflect reason 48 with `qualification` */
	EPT02_MISCONFIGURED,	/* an entry of EPT12 is bad: reflect reason 49 */
	EPT02_LOG_FULL,		/* no room to log a page: reflect reason 62 with `qualification` */
	EPT02_SPP_EVENT		/* L1's sub-page-permission tables do not tell: reflect reason 66 with `qualification` */
};

/* An access of L2 that EPT02 did not let pass. */
struct ept02_miss {
	u64 eptp12;		/* ept02_pointer12 */
	l2_gpa_t address;
	u64 qualification;	/* hardware's of reason 48 */
	bool misconfiguration;	/* reason 49, which has none */
	struct page_log *log;	/* of the vmcs12; NULL is one that is off */
	u64 spptp12;		/* ept02_spp_pointer12 */
};

struct ept02_result {
	enum ept02_outcome outcome;
	u64 qualification;	/* for VIOLATION, LOG_FULL and SPP_EVENT: the complete value for vmcs12 */
	u64 entry;		/* for EPT02_VIOLATION: the last entry of EPT12 that was read; all ones when none was */
};

/* Pages of the pool, by number; 0 ends a list (page 0 holds the links). */
struct ept02_pages {
	u32 first, last;
	u64 count;
};

/* What L0 knows of each page of the pool. */
struct ept02_page {
	u32 next, previous;	/* of its list */
	u32 used;		/* the groups of EPT02_GROUP entries that are not all zero; perhaps more */
};

/*
 * An entry of EPT12 that needs no further thought as a leaf of one level: under `mask` it has `value`, and the page
 * is nowhere near the hidden block.
 */
struct ept02_ordinary {
	u64 mask, value;
	u64 begin, end;		/* addresses that lie in [begin, end) are near */
};

/* The last way through EPT12 to the page table for 2 MB of L2, entry by entry, and EPT02's page table for them. */
struct ept02_window {
	u64 region;			/* address / SIZE_2M; EPT02_NO_REGION: none */
	bool five_levels;
	bool whole;			/* `permissions` are all that there are */
	u64 permissions;		/* AND over the way */
	const u64 *entry12[EPT_MAX_LEVELS - 1];	/* in L1's memory */
	u64 value12[EPT_MAX_LEVELS - 1];
	const u64 *table12;
	u64 *table02;
	u32 *used02;
};

#define EPT02_NO_REGION (~UINT64_C(0))

struct ept02_root {
	u64 eptp12;			/* the bits of it that matter, with EPT02_MODE_BASED; 0: free */
	u64 asked_eptp12;		/* as it was asked for last: the same has the same bits that matter */
	u64 eptp02;			/* hardware's */
	u64 all;			/* the permissions that an entry can have */
	u64 told;			/* of the qualification that hardware gives, what L1 gets as it is */
	struct ept02_ordinary ordinary[EPT02_LEAF_LEVELS];	/* by level, from 1 */
	struct ept02_window window[EPT02_WINDOWS];	/* by the region's low bits */
	u64 *table;			/* the root page in L0's memory: stays with the slot */
	u64 *spp_table;			/* and that of its sub-page-permission tables, which hold what leaves point to */
	u64 spptp12;			/* they are of, or 0 */
	struct ept02_pages tables;	/* all tables below the two, parked ones too */
	u64 last_used;			/* when it became the recent one */
	bool flush_needed;		/* INVEPT this root's EPTP before L2 runs on it */
	bool live;			/* something has been filled since all was parked or dropped */
};

/* A CPU's EPT02 tables and their pages. */
struct ept02 {
	const struct l1_memory *memory;
	const struct vmx_caps *hardware;	/* of the real processor: page sizes, A/D, execute-only */
	const struct vmx_caps *offered;		/* as shown to L1: what an EPT12 entry may say */
	struct ept02_root roots[EPT02_ROOTS];
	struct ept02_root *recent;		/* that of `recent_eptp12`, as it was asked for */
	u64 recent_eptp12;
	bool twins;				/* there have been two roots of the same EPT12 */
	u64 faulted_eptp12;			/* of the last violation that was L1's, and where; 0: it is answered */
	l2_gpa_t faulted;
	u64 faulted_entry;			/* what EPT12 said there, if it said "not present" and a glance told */
	u8 *pool;				/* the pages; the first ones are `page` */
	struct ept02_page *page;
	struct ept02_pages free;
	u64 pages;				/* of the pool in all */
	u64 clock;				/* for last_used: how often another root became the recent one */
	bool flush_needed;			/* some root has flush_needed */
	u64 fills, recycled;			/* counters: misses that were filled */
};

/* What EPT02 goes by of a vmcs12 in which EPT is in force: the `eptp12` of all functions here. */
static inline u64 ept02_pointer12(const struct vmcs12 *vmcs12)
{
	u64 mode = vmcs12_control(vmcs12, WORD_PROC2) & PROC2_MODE_BASED_EXECUTE ? EPT02_MODE_BASED : 0;

	return vmcs12_get(vmcs12, VMCS_EPT_POINTER) | mode;
}

/* Likewise of its sub-page write permissions: 0 where the control is off, else bit 0 beside the pointer. */
static inline u64 ept02_spp_pointer12(const struct vmcs12 *vmcs12)
{
	if (likely(!(vmcs12_control(vmcs12, WORD_PROC2) & PROC2_SUB_PAGE_WRITE_PERMISSIONS)))
		return 0;
	return vmcs12_get(vmcs12, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER) | 1;
}

/*
 * Gives the tables `count` pages of L0's memory in a row, at `first`: at least
 * EPT02_MIN_PAGES, with anything in them. Nothing is allocated later.
 */
void ept02_init(struct ept02 *ept02, const struct l1_memory *memory, const struct vmx_caps *hardware,
		const struct vmx_caps *offered, void *first, u64 count);

/*
 * The EPTP for hardware that stands for `eptp12` (which passed the entry
 * checks); makes an empty root when there is none. To be asked before every VM
 * entry to L2: a root that was not used for long may have become another's, and
 * what L2 could not reach last time is filled ahead if L1 has mapped it.
 */
u64 ept02_eptp(struct ept02 *ept02, u64 eptp12);

/*
 * The sub-page-permission-table pointer for hardware that belongs to it; 0 where `spptp12` is. One SPPT12 at a
 * time is composed into a root: another one makes it begin afresh.
 */
u64 ept02_spptp(struct ept02 *ept02, u64 eptp12, u64 spptp12);

/*
 * An EPT violation near one that EPT02 has filled, which EPT12 allows without a flag to set, or where it has nothing. Not
 * with EPT02_MODE_BASED; `qualification` is hardware's. UNKNOWN: ept02_handle knows.
 */
enum ept02_at_once { EPT02_AT_ONCE_UNKNOWN, EPT02_AT_ONCE_FILLED, EPT02_AT_ONCE_NOT_PRESENT };
struct ept02_glance {		/* in two registers */
	u64 outcome;		/* enum ept02_at_once */
	u64 qualification;	/* for NOT_PRESENT: the complete value for vmcs12 */
};
struct ept02_glance ept02_glance(struct ept02 *ept02, u64 eptp12, l2_gpa_t address, u64 qualification);

/*
 * Walks EPT12 for the miss, sets its accessed and dirty bits as the processor would, with page-modification
 * logging, and fills EPT02, or says who is at fault.
 */
struct ept02_result ept02_handle(struct ept02 *ept02, const struct ept02_miss *miss);

/*
 * L2 is about to run on `eptp12`, and probably to use `address`: fills it if EPT12 has it now, with the accessed
 * flags that its use needs set already. Sets none itself. (ept02_eptp does this after a violation.)
 */
void ept02_prefill(struct ept02 *ept02, u64 eptp12, l2_gpa_t address);

/* What ept02_eptp does after a violation. */
void ept02_answer(struct ept02 *ept02);

/* INVEPT by L1: what was composed from this EPTP12, or from all, counts no more. */
void ept02_invalidate_single(struct ept02 *ept02, u64 eptp12);
void ept02_invalidate_all(struct ept02 *ept02);

/*
 * Must the caller INVEPT (single-context, what ept02_eptp gives) before L2 runs
 * on this EPTP12? Answers true once. A caller that does INVEPT for all contexts
 * instead clears `flush_needed` and need not ask.
 */
bool ept02_take_flush(struct ept02 *ept02, u64 eptp12);
