/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables: entry bits, and building, splitting and looking up
 * tables. SDM "The Extended Page Table Mechanism (EPT)". EPT01 and EPT02 are
 * built with this; EPT12 is L1's and is only judged by it, entry by entry.
 * Knows no hidden memory and flushes nothing: the caller runs INVEPT. Every
 * change is one aligned 64-bit store, before and after which the tables are
 * valid. Pure: over the phys seam; pages come from the caller's source.
 */
#pragma once

#include "arch/bits.h"
#include "arch/compiler.h"
#include "mm/addr.h"

/* SDM "Format of an EPT Page-Table Entry that Maps a 4-KByte Page" and its siblings. */
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXECUTE BIT(2)
#define EPT_RWX BITS(2, 0)
#define EPT_PERMISSIONS (EPT_RWX | EPT_USER_EXECUTE)
#define EPT_MEMORY_TYPE BITS(5, 3)	/* leaves only */
#define EPT_IGNORE_PAT BIT(6)		/* leaves only */
#define EPT_LARGE BIT(7)		/* a leaf at level 2 (2 MB) or 3 (1 GB) */
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY BIT(9)		/* leaves only */
#define EPT_USER_EXECUTE BIT(10)	/* with mode-based execute control; EPT_EXECUTE is then for supervisor mode */
#define EPT_ADDRESS BITS(51, 12)
#define EPT_SUPPRESS_VE BIT(63)		/* leaves and not-present entries of EPT12: SDM "Convertible EPT Violations" */
#define EPT_SUB_PAGES BIT(61)		/* 4 KB leaves only, with sub-page write permissions */
#define EPT_SHARED_TABLE BIT(52)	/* ignored by the processor: set by ept_link_table */

/* What an entry's memory type may be; the SDM's encodings, as in MTRRs. */
enum memory_type {
	MEMORY_UC = 0, MEMORY_WC = 1, MEMORY_WT = 4, MEMORY_WP = 5, MEMORY_WB = 6
};

/* SDM "Format of Extended-Page-Table Pointer". */
#define EPTP_MEMORY_TYPE BITS(2, 0)
#define EPTP_WALK_LENGTH BITS(5, 3)	/* one less than the levels */
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_ADDRESS BITS(51, 12)

#define EPT_TABLE_ENTRIES 512
#define EPT_MAX_LEVELS 5

/* A zeroed page of L0's memory, or NULL. */
typedef void *ept_page_source(void *context);

struct ept {
	u64 *root;			/* a zeroed page at first */
	u8 levels;			/* 4, or 5 */
	bool has_2m, has_1g;		/* leaf sizes that the processor knows */
	ept_page_source *take_page;
	void *context;			/* for take_page */
};

/* Where a guest-physical address leads. */
struct ept_translation {
	u64 *entry;		/* the last entry of the walk */
	u64 value;		/* its content; present when value & EPT_PERMISSIONS */
	u64 size;		/* bytes that this entry covers: also of a not-present one */
	u64 permissions;	/* AND of EPT_PERMISSIONS over the walk */
	bool shared;		/* the entry is in a table of ept_link_table */
	hpa_t address;		/* where the byte is; only when present */
};

/* Bytes that an entry of this level covers: level 1 is the page table. */
static inline u64 ept_level_size(unsigned int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* The part of a leaf beside its address: permissions (EPT_READ ...) and memory type. */
static inline u64 ept_attributes(u64 permissions, enum memory_type type)
{
	return permissions | field_put((u64)type, EPT_MEMORY_TYPE);
}

/* The EPTP for these tables; memory type of the tables themselves. */
u64 ept_pointer(const struct ept *ept, enum memory_type type, bool accessed_dirty);

/*
 * Maps [gpa, gpa + size) to [to, to + size) with the largest pages that
 * alignment and processor allow; all three are page aligned. What was mapped
 * there is replaced; a larger page reaching beyond the range is split first,
 * and existing tables are kept (and filled), never freed. False when the source
 * has no page left: then the range may be mapped in part.
 */
bool ept_map(struct ept *ept, u64 gpa, hpa_t to, u64 size, u64 attributes) must_check;

/* Clears the leaf that maps `gpa`, whatever its size; false when there is none (or a shared one). */
bool ept_unmap(struct ept *ept, u64 gpa);

/*
 * Makes the page that maps `gpa` no larger than `size` (PAGE_SIZE or SIZE_2M),
 * every translation unchanged. True also where nothing is mapped.
 */
bool ept_split(struct ept *ept, u64 gpa, u64 size) must_check;

/*
 * Gives all that is mapped in [gpa, gpa + size) the memory type, splitting
 * pages that reach beyond it. Addresses and permissions stay; what is not
 * mapped stays so; shared tables (ept_link_table) are left alone.
 */
bool ept_set_memory_type(struct ept *ept, u64 gpa, u64 size, enum memory_type type) must_check;

/* Pages that one ept_set_memory_type can take at most: two splits at either end. */
#define EPT_PAGES_PER_RETYPE 4

/*
 * Lets `table`, a page of 512 level-1 entries that the caller filled, translate
 * the 2 MB at `gpa` (2 MB aligned). The same table may be linked in many places.
 */
bool ept_link_table(struct ept *ept, u64 gpa, u64 *table) must_check;

/* The walk for one address. Addresses beyond the walk's reach are not present, with size 0. */
struct ept_translation ept_lookup(const struct ept *ept, u64 gpa);

/* What makes an entry of someone else's tables bad: properties of the processor they are meant for. */
struct ept_rules {
	bool execute_only, has_2m, has_1g;
	u8 physical_address_bits;
	bool mode_based;	/* "mode-based execute control for EPT": bit 10 is a permission */
};

/* The permission bits of an entry; none of them: not present. SDM "EPT Paging Structures". */
static inline u64 ept_permissions(const struct ept_rules *rules)
{
	return rules->mode_based ? EPT_PERMISSIONS : EPT_RWX;
}

/* Is a present entry of this level (1: page table) a leaf? */
static inline bool ept_is_leaf(u64 entry, unsigned int level)
{
	return level == 1 || (level <= 3 && (entry & EPT_LARGE));
}

/*
 * SDM "EPT Misconfigurations". Never true for a not-present entry. Level 1 is
 * the page table, 5 the PML5 table.
 */
bool ept_is_misconfigured(u64 entry, unsigned int level, const struct ept_rules *rules);
