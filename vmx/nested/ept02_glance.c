/* SPDX-License-Identifier: MIT */
/*
 * EPT02: the ordinary miss, near the last one, in a few instructions. The way
 * through EPT12 to a page table is remembered as what to read again, so it
 * cannot be out of date. Whatever is not quite ordinary is left to ept02_miss.c,
 * which is complete without this.
 */
#include "arch/atomic.h"
#include "vmx/nested/ept02_parts.h"

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
	window->whole = !(root->all & ~original->permissions);
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

static inline bool is_there(const struct ept02_window *window, unsigned int index)
{
	return ept02_is_present(atomic_read64(&window->table12[index % EPT_TABLE_ENTRIES]));
}

/* --- groups ---------------------------------------------------------------------- */

/* Where nothing of the group is in EPT02 yet, and it has at least two pages: all of it in one go. */
static inline bool fill_fresh(const struct ept02_root *root, const struct ept02_window *window, unsigned int index)
{
	unsigned int first = index & ~(EPT02_GROUP - 1u);

	if (bit_is_set(*window->used02, index / EPT02_GROUP) || !window->whole || !is_there(window, index ^ 1) ||
	    unlikely(!ept02_fill_fresh(&root->ordinary[0], window->table02 + first, window->table12 + first)))
		return false;
	*window->used02 |= (u32)BIT(index / EPT02_GROUP);
	return true;
}

static noinline void fill_rest(const struct ept02 *ept02, const struct ept02_root *root, const struct ept02_window *window,
			       unsigned int index)
{
	const struct ept02_original original = { window->table12, 1, window->permissions };
	unsigned int first = index & ~(EPT02_GROUP - 1u);

	ept02_fill_rest(ept02, root, window->table02 + first, window->table12 + first, &original);
}

static inline void put(struct ept02 *ept02, struct ept02_root *root, const struct ept02_window *window, unsigned int index, u64 value)
{
	*window->used02 |= (u32)BIT(index / EPT02_GROUP);
	if (window->table02[index] != value)
		ept02_put_leaf(ept02, root, &window->table02[index], value);
}

/* --- misses ------------------------------------------------------------------------ */

/* One by one. What is not there at all (a flag is not set) is missing too. */
static noinline bool fill_one(struct ept02 *ept02, struct ept02_root *root, const struct ept02_window *window, unsigned int index,
			      u64 entry, u64 access)
{
	u64 value = ept02_leaf(ept02, root, 1, entry, window->permissions);

	if (unlikely(!value || (access & ~value)))
		return false;
	if (is_there(window, index ^ 1))
		fill_rest(ept02, root, window, index);
	put(ept02, root, window, index, value);
	return true;
}

/* It is forgotten, so that L1 may change the page without INVEPT. */
static inline struct ept02_glance not_present(struct ept02 *ept02, const struct ept02_root *root, const struct ept02_window *window,
					      l2_gpa_t address, u64 qualification, u64 entry)
{
	window->table02[index_of(address)] = 0;
	if (unlikely(ept02->twins))
		ept02_forget(ept02, root, address);
	ept02_note_fault(ept02, ept02->recent_eptp12, address);
	ept02->faulted_entry = entry;
	return (struct ept02_glance){
		EPT02_AT_ONCE_NOT_PRESENT, ept02_violation_of(root, 0, qualification, ept02_access_of(root, qualification)),
	};
}

struct ept02_glance ept02_glance(struct ept02 *ept02, u64 eptp12, l2_gpa_t address, u64 qualification)
{
	struct ept02_root *root = ept02_root_of(ept02, eptp12);
	const struct ept02_window *window = look_through(root, address);
	unsigned int index = index_of(address);
	u64 access, entry;

	if (unlikely(!window))
		return (struct ept02_glance){ EPT02_AT_ONCE_UNKNOWN, 0 };
	entry = atomic_read64(&window->table12[index]);
	if (!ept02_is_present(entry))
		return not_present(ept02, root, window, address, qualification, entry);
	access = ept02_access_of(root, qualification);
	/* A whole group may bring the page without what this access needs: a walk finds out, and forgets it again. */
	if (likely(fill_fresh(root, window, index)) ? unlikely(access & ~window->table02[index]) :
						      !fill_one(ept02, root, window, index, entry, access))
		return (struct ept02_glance){ EPT02_AT_ONCE_UNKNOWN, 0 };
	ept02->fills++;
	return (struct ept02_glance){ EPT02_AT_ONCE_FILLED, 0 };
}

struct ept02_result ept02_handle(struct ept02 *ept02, const struct ept02_miss *miss)
{
	struct ept02_glance glance;

	/* They need a walk to be judged: a misconfiguration, a fetch that depends on the mode. */
	if (unlikely(miss->misconfiguration) || unlikely(miss->eptp12 & EPT02_MODE_BASED))
		return ept02_walk_miss(ept02, ept02_root_of(ept02, miss->eptp12), miss);
	glance = ept02_glance(ept02, miss->eptp12, miss->address, miss->qualification);
	if (glance.outcome == EPT02_AT_ONCE_FILLED)
		return (struct ept02_result){ .outcome = EPT02_FILLED };
	if (glance.outcome == EPT02_AT_ONCE_NOT_PRESENT)
		return (struct ept02_result){ EPT02_VIOLATION, glance.qualification, ept02->faulted_entry };
	return ept02_walk_miss(ept02, ept02->recent, miss);
}

/* --- ahead of use -------------------------------------------------------------------- */

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
	/* L1 that maps one page after the other has nothing behind this one. */
	if (is_there(window, index + 1) && !fill_fresh(root, window, index))
		fill_rest(ept02, root, window, index);
	put(ept02, root, window, index, value);
}

void ept02_answer(struct ept02 *ept02)
{
	u64 eptp12 = ept02->faulted_eptp12;

	ept02->faulted_eptp12 = 0;
	ept02_prefill(ept02, eptp12, ept02->faulted);
}
