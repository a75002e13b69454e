/* SPDX-License-Identifier: MIT */
/*
 * What EPT02 is judged by, written apart from the code under test: a plain
 * walk of L1's tables and of EPT02, an audit of EPT02's pages, and a processor
 * that caches as long as the SDM allows and forgets only when told. A broken
 * rule aborts with its name. For unit tests and the fuzzer. Mode-based execute
 * control is bit 63 of an EPTP here, of EPT02's too.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "vmx/nested/ept02.h"

#define model_require(condition) \
	((condition) ? (void)0 : model_broken(#condition, __FILE__, __LINE__))

static inline void model_broken(const char *rule, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, rule);
	abort();
}

enum model_outcome { MODEL_TRANSLATED, MODEL_NOT_PRESENT, MODEL_MISCONFIGURED };

struct model_page {
	enum model_outcome outcome;
	u64 page;		/* hpa of the 4 KB page */
	u64 permissions;	/* R, W, X in bits 2:0; with mode-based execute control user-mode X in bit 10 */
	u64 type;		/* memory type and ignore-PAT bit, as in the leaf */
	unsigned int entries;	/* entries read */
	unsigned int levels;	/* of the tables */
	u64 entry_at[5];	/* where they are */
	u64 leaf;		/* the last one */
};

/* EPT12 and then EPT01, for the 4 KB page of `address`. */
struct model_page model_walk(const struct ept02 *ept02, u64 eptp12, u64 address);

/* What L1's sub-page-permission tables say of a page. */
enum model_sub_pages { MODEL_VECTOR, MODEL_SPP_MISS, MODEL_SPP_MISCONFIGURED };
enum model_sub_pages model_walk_sub_pages(const struct ept02 *ept02, u64 spptp12, u64 address, u64 *vector);

/* What hardware finds in EPT02 without any cache. */
struct model_page model_walk_ept02(u64 eptp02, u64 address);

/* Checks every page of the pool and every leaf of EPT02. */
void model_audit(const struct ept02 *ept02);

/* --- a processor with caches ---------------------------------------------- */

#define MODEL_CACHE 512

struct model_tlb_entry {
	bool valid;
	u64 ep4ta, page;
	struct model_page to;
};

struct model_structure_entry {
	bool valid;
	u64 ep4ta, region;
	unsigned int level;	/* of the table that it leads to */
	u64 table;
};

struct model_processor {
	bool advanced;		/* tells which mode an access was from */
	struct model_tlb_entry tlb[MODEL_CACHE];
	struct model_structure_entry structures[MODEL_CACHE];
};

/* What an access on the processor came to. */
struct model_access {
	bool done;		/* else EPT violation */
	struct model_page used;
	u64 qualification;	/* of the violation: access, linear-address and page-walk bits */
};

/* INVEPT, single-context. */
void model_flush(struct model_processor *processor, u64 eptp02);

/* A fetch in user mode, besides the accesses of the exit qualification. */
#define MODEL_FETCH_USER 0x400ull

/* An access by L2; `page_walk`: the processor reads a guest paging-structure entry. */
struct model_access model_try(struct model_processor *processor, u64 eptp02, u64 address, u64 access, bool page_walk);
