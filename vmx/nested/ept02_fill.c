/* SPDX-License-Identifier: MIT */
/*
 * EPT02: the way from the root to a leaf. Makes tables, brings home those that
 * INVEPT has parked, and fills a leaf with its group. Judges no access and sets
 * no flags.
 */
#include "arch/atomic.h"
#include "vmx/nested/ept02_parts.h"

static unsigned int index_at(l2_gpa_t address, unsigned int level)
{
	return (unsigned int)(address.value / ept_level_size(level)) % EPT_TABLE_ENTRIES;
}

static bool is_table(u64 entry, unsigned int level)
{
	return ept02_is_present(entry) && !ept_is_leaf(entry, level);
}

static bool is_parked(u64 entry)
{
	return !ept02_is_present(entry) && (entry & EPT02_PARKED);
}

/* --- EPT12's side of a walk ------------------------------------------------- */

static unsigned int levels_of(const struct ept02_root *root)
{
	return (unsigned int)field_get(root->eptp12, EPTP_WALK_LENGTH) + 1;
}

/* The step of the walk at this level; steps begin at the root. */
static unsigned int step_at(const struct ept02_root *root, unsigned int level)
{
	return levels_of(root) - level;
}

/* EPT12's table of `level` on the way; its `table` is NULL where the walk has ended above. */
static struct ept02_original original_at(const struct ept02 *ept02, const struct ept02_root *root, const struct ept12_walk *walk,
					 unsigned int level)
{
	struct ept02_original original = { .level = level, .permissions = EPT_PERMISSIONS };
	unsigned int step = step_at(root, level);

	if (step >= walk->steps)
		return original;
	for (unsigned int i = 0; i < step; i++)
		original.permissions &= walk->step[i].value;
	original.table = l1_look(ept02->memory, l1_gpa(align_down(walk->step[step].at.value, PAGE_SIZE)));
	return original;
}

/* --- tables of EPT02 ---------------------------------------------------------- */

static u32 *used_of(struct ept02 *ept02, const u64 *table)
{
	return &ept02->page[ept02_page_of(ept02, table)].used;
}

/* May a leaf of this level stand for (a part of) the walk's page? */
static bool fits(const struct ept02 *ept02, const struct ept12_walk *walk, unsigned int level)
{
	u64 hardware = ept02->hardware->ept_vpid, size = ept_level_size(level);

	if (level == 1)
		return true;
	if (size > walk->size || !(hardware & (level == 3 ? EPT_CAP_1G : EPT_CAP_2M)))
		return false;
	return l1_is_identity(ept02->memory, l1_gpa(align_down(walk->address.value, size)), size);
}

static unsigned int lower(const struct ept02 *ept02, const struct ept12_walk *walk, unsigned int level)
{
	do
		level--;
	while (!fits(ept02, walk, level));
	return level;
}

/* Brings the table behind a parked link of `level` home. False: EPT12 has none in its place, and it was given back. */
static bool unpark(struct ept02 *ept02, struct ept02_root *root, u64 *entry, unsigned int level, const struct ept12_walk *walk)
{
	struct ept02_original original = original_at(ept02, root, walk, level - 1);
	u64 *table = ept02_table_of(*entry);

	if (likely(original.table != NULL)) {
		ept02_revalidate(ept02, root, table, *used_of(ept02, table), &original);
		atomic_write64(entry, phys_of(table).value | EPT_PERMISSIONS);
		return true;
	}
	if (level == 2) {
		*entry = 0;
		ept02_give_page(ept02, root, table);
	} else {
		ept02_drop(ept02, root);	/* it may lead to more: rare enough to begin afresh */
	}
	return false;
}

static void make_table(struct ept02 *ept02, struct ept02_root *root, u64 *entry)
{
	struct ept02_source source = { ept02, root };

	/* A larger page than EPT12 has now must go whole: its other parts may be gone as well. */
	if (ept02_is_present(*entry)) {
		ept02_need_flush(ept02, root);
		atomic_write64(entry, 0);
	}
	atomic_write64(entry, phys_of(ept02_take_page(&source)).value | EPT_PERMISSIONS);
}

/*
 * The table for a leaf that stands for the walk's page, of `*level`: as high as all agree, the tables so far included,
 * which stay until INVEPT.
 */
static u64 *place(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address,
		  unsigned int *level)
{
	unsigned int at = levels_of(root);
	u64 *table = root->table;

	*level = lower(ept02, walk, EPT02_LEAF_LEVELS + 1);
	for (;; at--) {
		unsigned int index = index_at(address, at);
		u64 *entry = &table[index];

		if (unlikely(is_parked(*entry)) && !unpark(ept02, root, entry, at, walk) && at > 2) {
			/* All is gone but the root itself. */
			at = levels_of(root) + 1;
			table = root->table;
			continue;
		}
		if (at == *level) {
			if (!is_table(*entry, at))
				return table;
			*level = lower(ept02, walk, at);
		}
		*used_of(ept02, table) |= (u32)BIT(index / EPT02_GROUP);
		if (!is_table(*entry, at))
			make_table(ept02, root, entry);
		table = ept02_table_of(*entry);
	}
}

/* --- leaves ----------------------------------------------------------------------- */

/* Does the new leaf take away something that the processor may have cached of the old one? */
static bool is_narrower(u64 old, u64 new)
{
	if (!ept02_is_present(old))
		return false;
	return (old & ~new & (EPT_PERMISSIONS | EPT_SUB_PAGES)) || ((old ^ new) & (EPT_ADDRESS | EPT_MEMORY_TYPE | EPT_IGNORE_PAT));
}

void ept02_put_leaf(struct ept02 *ept02, struct ept02_root *root, u64 *entry, u64 value)
{
	if (unlikely(is_narrower(*entry, value)))
		ept02_need_flush(ept02, root);
	atomic_write64(entry, value);
}

/* The leaf of `level` for the walk's page, or for the part of it around the address. */
static u64 leaf_of(const struct ept02 *ept02, const struct ept02_root *root, const struct ept12_walk *walk, unsigned int level,
		   u64 permissions)
{
	hpa_t to = l1_to_hpa(ept02->memory, l1_gpa(align_down(walk->address.value, ept_level_size(level))));
	u64 flags = root->eptp12 & EPTP_ACCESSED_DIRTY ? EPT_ACCESSED | EPT_DIRTY : 0;

	return to.value | permissions | (ept12_last(walk) & (EPT_MEMORY_TYPE | EPT_IGNORE_PAT | flags)) |
	       (level > 1 ? EPT_LARGE : 0);
}

void ept02_fill(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address, u64 permissions)
{
	struct ept02_original original;
	unsigned int level, index;
	u64 *table, value = 0;

	ept02_make_room(ept02);
	root->live = true;
	table = place(ept02, root, walk, address, &level);
	index = index_at(address, level);
	original = original_at(ept02, root, walk, level);
	if (ept_level_size(level) == walk->size && original.table) {
		ept02_fill_group(ept02, root, table, used_of(ept02, table), index, &original);
		/* As for the group, the same as EPT12's where that may be. */
		if (likely(!(permissions & EPT_SUB_PAGES)))
			value = ept02_leaf(ept02, root, level, ept12_last(walk), original.permissions);
		if (level == 1)
			ept02_remember(ept02, root, walk, address, table, &original);
	}
	*used_of(ept02, table) |= (u32)BIT(index / EPT02_GROUP);
	ept02_put_leaf(ept02, root, &table[index], value ? value : leaf_of(ept02, root, walk, level, permissions));
	ept02->fills++;
}
