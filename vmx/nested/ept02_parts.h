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

/* Exit qualification of reason 48, beside EPT_ACCESS_*. SDM "Exit Qualification for EPT Violations". */
#define QUALIFICATION_PERMISSIONS BITS(5, 3)
#define QUALIFICATION_USER_EXECUTABLE BIT(6)	/* with mode-based execute control */
#define QUALIFICATION_LINEAR_VALID BIT(7)
#define QUALIFICATION_TRANSLATED BIT(8)	/* clear: an access to a guest paging-structure entry */

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

/*
 * The access that EPT12 is to judge. SDM "EPT Violations": with A/D flags, a processor access to a guest
 * paging-structure entry counts as a write too (loads of PDPTEs by MOV to CR do not; they have no linear address).
 */
static inline u64 ept02_access_of(const struct ept02_root *root, u64 qualification)
{
	u64 access = qualification & EPT_RWX;

	if (unlikely((qualification & (QUALIFICATION_LINEAR_VALID | QUALIFICATION_TRANSLATED)) == QUALIFICATION_LINEAR_VALID) &&
	    (root->eptp12 & EPTP_ACCESSED_DIRTY))
		access |= EPT_ACCESS_READ | EPT_ACCESS_WRITE;
	return access;
}

/* What L1 is told of a violation. */
static inline u64 ept02_violation_of(const struct ept02_root *root, u64 permissions, u64 hardware, u64 access)
{
	return (hardware & root->told) | access | field_put(permissions & EPT_RWX, QUALIFICATION_PERMISSIONS) |
	       (permissions & EPT_USER_EXECUTE ? QUALIFICATION_USER_EXECUTABLE : 0);
}

/* L1's next entry finds out whether it has answered. */
static inline void ept02_note_fault(struct ept02 *ept02, u64 eptp12, l2_gpa_t address)
{
	ept02->faulted_eptp12 = eptp12;
	ept02->faulted = address;
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
struct ept02_root *ept02_find_root(struct ept02 *ept02, u64 eptp12);
/* The same, which mostly was the last one as well. */
static inline struct ept02_root *ept02_root_of(struct ept02 *ept02, u64 eptp12)
{
	return likely(ept02->recent_eptp12 == eptp12) ? ept02->recent : ept02_find_root(ept02, eptp12);
}
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
/*
 * A whole group at once, of which EPT02 has nothing yet, if EPT12's entries are ordinary and the way to them has all
 * permissions. False: nothing is there.
 */
bool ept02_fill_fresh(const struct ept02_ordinary *ordinary, u64 *to, const u64 *from);
/* One by one from `source` on: what is there stays. */
void ept02_fill_rest(const struct ept02 *ept02, const struct ept02_root *root, u64 *to, const u64 *source,
		     const struct ept02_original *from);
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
/* Forgets the translation of this address in all roots of the same tables. */
void ept02_forget(struct ept02 *ept02, const struct ept02_root *current, l2_gpa_t address);
