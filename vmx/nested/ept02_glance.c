/* SPDX-License-Identifier: MIT */
/*
 * EPT02: the ordinary miss, near the last one, in a few instructions. The way
 * through EPT12 to a page table is remembered as what to read again, so it
 * cannot be out of date. Whatever is not quite ordinary is left to ept02_miss.c,
 * which is complete without this.
 */
#include "arch/atomic.h"
#include "vmx/nested/ept02_parts.h"

#define QUALIFICATION_TRANSLATED BIT(8)	/* clear: perhaps an access to a guest paging-structure entry */

enum glance { GLANCE_UNKNOWN, GLANCE_FILLED, GLANCE_NOT_PRESENT };

static struct ept02_window *window_of(struct ept02_root *root, u64 region)
{
	return &root->window[region % EPT02_WINDOWS];
}

void ept02_remember(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address, u64 *table02,
		    const struct ept02_original *original)
{
	u64 region = address.value / SIZE_2M;
	struct ept02_window *window = window_of(root, region);

	window->region = EPT02_NO_REGION;
	for (unsigned int i = 0; i + 1 < walk->steps; i++) {
		window->entry12[i] = l1_look(ept02->memory, walk->step[i].at);
		window->value12[i] = walk->step[i].value;
		if (!window->entry12[i])
			return;
	}
	window->five_levels = walk->steps == EPT_MAX_LEVELS;
	window->permissions = original->permissions;
	window->table12 = original->table;
	window->table02 = table02;
	window->used02 = &ept02->page[ept02_page_of(ept02, table02)].used;
	window->region = region;
}

static inline bool is_same(const struct ept02_window *window, unsigned int i)
{
	return likely(atomic_read64(window->entry12[i]) == window->value12[i]);
}

/* The window for this address, if EPT12's way is still the same; NULL otherwise. */
static inline const struct ept02_window *look_through(struct ept02_root *root, l2_gpa_t address)
{
	u64 region = address.value / SIZE_2M;
	const struct ept02_window *window = window_of(root, region);

	if (unlikely(window->region != region) || !is_same(window, 0) || !is_same(window, 1) || !is_same(window, 2) ||
	    (unlikely(window->five_levels) && !is_same(window, 3)))
		return NULL;
	return window;
}

static inline unsigned int index_of(l2_gpa_t address)
{
	return (unsigned int)(address.value / PAGE_SIZE) % EPT_TABLE_ENTRIES;
}

static void fill_group(const struct ept02 *ept02, const struct ept02_root *root, const struct ept02_window *window, unsigned int index)
{
	const struct ept02_original original = { window->table12, 1, window->permissions };

	ept02_fill_group(ept02, root, window->table02, window->used02, index, &original);
}

static inline void put(struct ept02 *ept02, struct ept02_root *root, const struct ept02_window *window, unsigned int index, u64 value)
{
	*window->used02 |= (u32)BIT(index / EPT02_GROUP);
	if (window->table02[index] != value)
		ept02_put_leaf(ept02, root, &window->table02[index], value);
}

/* Filled if EPT12 allows this access and has all flags set that it needs. An entry that is not present is told, and forgotten. */
static inline enum glance glance(struct ept02 *ept02, struct ept02_root *root, l2_gpa_t address, u64 access, u64 *entry12)
{
	const struct ept02_window *window = look_through(root, address);
	unsigned int index = index_of(address);
	u64 entry, value;

	if (unlikely(!window))
		return GLANCE_UNKNOWN;
	entry = *entry12 = atomic_read64(&window->table12[index]);
	if (!ept02_is_present(entry)) {
		window->table02[index] = 0;
		return GLANCE_NOT_PRESENT;
	}
	value = ept02_leaf(ept02, root, 1, entry, window->permissions);
	/* What is not there at all (a flag is not set) is missing too. */
	if (unlikely(!value || (access & ~value & EPT_RWX)))
		return GLANCE_UNKNOWN;
	fill_group(ept02, root, window, index);
	put(ept02, root, window, index, value);
	ept02->fills++;
	return GLANCE_FILLED;
}

/* Does it need a walk to be judged? A misconfiguration, a fetch that depends on the mode. */
static inline bool is_odd(const struct ept02_root *root, const struct ept02_miss *miss)
{
	return unlikely(miss->misconfiguration) || unlikely(root->eptp12 & EPT02_MODE_BASED);
}

/* With flags, an access to a guest paging-structure entry is a write, too; at worst a walk finds out that it was none. */
static inline u64 access_of(const struct ept02_root *root, u64 qualification)
{
	bool writes = !(qualification & QUALIFICATION_TRANSLATED) && (root->eptp12 & EPTP_ACCESSED_DIRTY);

	return (qualification & EPT_RWX) | (writes ? EPT_ACCESS_READ | EPT_ACCESS_WRITE : 0);
}

struct ept02_result ept02_handle(struct ept02 *ept02, const struct ept02_miss *miss)
{
	struct ept02_root *root = ept02_root_of(ept02, miss->eptp12);
	u64 entry;

	if (is_odd(root, miss))
		return ept02_walk_miss(ept02, root, miss);
	switch (glance(ept02, root, miss->address, access_of(root, miss->qualification), &entry)) {
	case GLANCE_FILLED:
		return (struct ept02_result){ .outcome = EPT02_FILLED };
	case GLANCE_NOT_PRESENT:
		return ept02_tell_not_present(ept02, root, miss, entry);
	case GLANCE_UNKNOWN:
		break;
	}
	return ept02_walk_miss(ept02, root, miss);
}

void ept02_prefill(struct ept02 *ept02, u64 eptp12, l2_gpa_t address)
{
	struct ept02_root *root = ept02_root_of(ept02, eptp12);
	const struct ept02_window *window = look_through(root, address);
	unsigned int index = index_of(address);
	u64 value;

	if (unlikely(!window)) {
		ept02_walk_ahead(ept02, root, address);
		return;
	}
	/* What is there may be in the processor's caches as well, and stays. */
	if (window->table02[index])
		return;
	value = ept02_leaf(ept02, root, 1, atomic_read64(&window->table12[index]), window->permissions);
	if (!value)
		return;
	/* Has L1 mapped more than this one page? */
	if (ept02_is_present(atomic_read64(&window->table12[(index + 1) % EPT_TABLE_ENTRIES])))
		fill_group(ept02, root, window, index);
	put(ept02, root, window, index, value);
}
