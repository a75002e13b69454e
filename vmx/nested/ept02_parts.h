/* SPDX-License-Identifier: MIT */
/* What the ept02*.c files share, and nobody else needs. */
#pragma once

#include "mm/ept.h"
#include "mm/phys.h"
#include "vmx/nested/ept02.h"
#include "vmx/nested/ept12_walk.h"

/* Entries that are filled together: aligned, and of one table. */
#define EPT02_GROUP 16
#define EPT02_GROUPS (EPT_TABLE_ENTRIES / EPT02_GROUP)

/* A link to a table that INVEPT has parked: not present, address and this bit. */
#define EPT02_PARKED BIT(53)

static inline bool ept02_is_present(u64 entry)
{
	return (entry & EPT_PERMISSIONS) != 0;
}

static inline u64 *ept02_table_of(u64 entry)
{
	return phys_to_ptr(hpa(entry & EPT_ADDRESS));
}

static inline u32 ept02_page_of(const struct ept02 *ept02, const void *table)
{
	return (u32)((u64)((const u8 *)table - ept02->pool) / PAGE_SIZE);
}

static inline void ept02_need_flush(struct ept02 *ept02, struct ept02_root *root)
{
	root->flush_needed = true;
	ept02->flush_needed = true;
}

/* --- ept02.c ------------------------------------------------------------------ */

/* A root being filled: the context of its page source. */
struct ept02_source {
	struct ept02 *ept02;
	struct ept02_root *root;
};

/* An ept_page_source: a zeroed page for a table of this root; there is one, because make_room came before. */
void *ept02_take_page(void *source);
/* The same for sub-page-permission tables, which do not note what they use. */
void *ept02_take_spp_page(void *source);
/* Gives one back. Hardware cannot reach it, or is made to forget the way before L2 runs. */
void ept02_give_page(struct ept02 *ept02, struct ept02_root *root, const u64 *table);
/* Sees to it that one fill finds its pages, dropping the tables used least recently: the present root's last. */
void ept02_make_room(struct ept02 *ept02);
struct ept02_root *ept02_root_of(struct ept02 *ept02, u64 eptp12);
/* Forgets all translations of the root; its tables go back to the pool in one piece. */
void ept02_drop(struct ept02 *ept02, struct ept02_root *root);
/* Was the root composed from the tables of this EPTP? SDM "INVEPT": what counts is EP4TA, bits 51:12. */
bool ept02_is_of(const struct ept02_root *root, u64 eptp12);
/* For lookups; nothing is mapped with it. */
struct ept ept02_tables(const struct ept02 *ept02, const struct ept02_root *root);
struct ept_rules ept02_rules(const struct ept02 *ept02, const struct ept02_root *root);

/* --- ept02_leaf.c ------------------------------------------------------------- */

/* A table of EPT12 and what leads to it: the other side of a table of EPT02. */
struct ept02_original {
	const u64 *table;	/* in L1's memory */
	unsigned int level;
	u64 permissions;	/* AND over the way */
};

void ept02_learn_ordinary(const struct ept02 *ept02, struct ept02_root *root);
/*
 * The leaf that stands for this entry of EPT12 (read once by the caller), or 0 where none may: not present, misconfigured,
 * no leaf of this level for both, or, with accessed and dirty flags, not accessed yet. Not writable where not dirty yet.
 */
u64 ept02_leaf(const struct ept02 *ept02, const struct ept02_root *root, unsigned int level, u64 entry, u64 permissions);
/* Fills what is empty in the group of entry `index`. Accessed flags on the way must be set where the root has them. */
void ept02_fill_group(const struct ept02 *ept02, const struct ept02_root *root, u64 *to, u32 *used, unsigned int index,
		      const struct ept02_original *from);
/* Makes a table that was parked true again: leaves as EPT12 has them now, or gone; the tables below are parked. */
void ept02_revalidate(struct ept02 *ept02, struct ept02_root *root, u64 *to, u32 used,
		      const struct ept02_original *from);
/* Parks all tables to which this one links. */
void ept02_park(u64 *table, u32 used);

/* --- ept02_fill.c ------------------------------------------------------------- */

/*
 * Puts what the walk has found into EPT02, as the largest page on which all agree, and fills its group. `permissions`
 * are the leaf's, with EPT_SUB_PAGES perhaps. Flags have been set.
 */
void ept02_fill(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address, u64 permissions);

/* For hardware it needs a flush where it takes away something that the processor may have cached of what was there. */
void ept02_put_leaf(struct ept02 *ept02, struct ept02_root *root, u64 *entry, u64 value);

/* --- ept02_glance.c ------------------------------------------------------------- */

/* The way of a walk to a page table: for misses near by. */
void ept02_remember(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address, u64 *table02,
		    const struct ept02_original *original);

/* --- ept02_miss.c --------------------------------------------------------------- */

/* What ept02_handle and ept02_prefill do where a glance does not tell. */
struct ept02_result ept02_walk_miss(struct ept02 *ept02, struct ept02_root *root, const struct ept02_miss *miss);
void ept02_walk_ahead(struct ept02 *ept02, struct ept02_root *root, l2_gpa_t address);
/* The violation of an access to a page whose entry of EPT12 is not present, and forgotten in this root. */
struct ept02_result ept02_tell_not_present(struct ept02 *ept02, struct ept02_root *root, const struct ept02_miss *miss, u64 entry);
