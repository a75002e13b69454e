/* SPDX-License-Identifier: MIT */
/*
 * Single tables of EPT02: the leaf that stands for an entry of EPT12, groups of
 * them, and tables that are made true again after INVEPT. Every leaf's address
 * comes from l1_to_hpa or lies outside the hidden block, so L2 cannot reach
 * L0's memory whatever EPT12 says. What was not used yet gets no flag: SDM
 * "Accessed and Dirty Flags for EPT". Takes no pages and walks no way.
 */
#include "arch/atomic.h"
#include "vmx/nested/ept02_parts.h"

/* Bits of a leaf that mean the same in EPT02 as in EPT12. */
#define LEAF_ATTRIBUTES (EPT_MEMORY_TYPE | EPT_IGNORE_PAT)
/* These, too, so that hardware has none to set. */
#define LEAF_FLAGS (EPT_ACCESSED | EPT_DIRTY)

static bool has_flags(const struct ept02_root *root)
{
	return (root->eptp12 & EPTP_ACCESSED_DIRTY) != 0;
}

static bool hardware_has(const struct ept02 *ept02, unsigned int level)
{
	u64 hardware = ept02->hardware->ept_vpid;

	return level == 1 || (hardware & (level == 2 ? EPT_CAP_2M : EPT_CAP_1G)) != 0;
}

/*
 * Ordinary is: readable, write-back, within the processor's width, all flags set, neither sub-page permissions nor (where
 * it means nothing) user-mode execute. Then EPT02's leaf is EPT12's own, bit for bit but for permissions that tables
 * above it lack: bits that the processor ignores stay, so that equal words say that nothing has changed.
 */
void ept02_learn_ordinary(const struct ept02 *ept02, struct ept02_root *root)
{
	const struct l1_memory *memory = ept02->memory;
	u64 flags = has_flags(root) ? LEAF_FLAGS : 0;
	u64 strange = EPT_SUB_PAGES | (root->eptp12 & EPT02_MODE_BASED ? 0 : EPT_USER_EXECUTE) |
		      (EPT_ADDRESS & ~(BIT(memory->physical_address_bits) - 1));

	for (unsigned int level = 1; level <= EPT02_LEAF_LEVELS; level++) {
		u64 size = ept_level_size(level), large = level > 1 ? EPT_LARGE | (EPT_ADDRESS & (size - 1)) : 0;
		bool known = hardware_has(ept02, level) && ept02->offered->ept_vpid & (level == 2 ? EPT_CAP_2M : EPT_CAP_1G);

		root->ordinary[level - 1] = (struct ept02_ordinary){
			.mask = EPT_READ | EPT_MEMORY_TYPE | flags | strange | large,
			.value = EPT_READ | field_put(MEMORY_WB, EPT_MEMORY_TYPE) | flags | (level > 1 ? EPT_LARGE : 0),
			.begin = memory->hidden_base.value < size ? 0 : memory->hidden_base.value - (size - 1),
			.end = memory->hidden_base.value + memory->hidden_size,
		};
		if (level > 1 && !known)
			root->ordinary[level - 1].mask = 0;	/* which never equals its value */
	}
}

static inline bool is_ordinary(const struct ept02_ordinary *ordinary, u64 entry)
{
	return likely((entry & ordinary->mask) == ordinary->value) &&
	       (likely((entry & EPT_ADDRESS) < ordinary->begin) || (entry & EPT_ADDRESS) >= ordinary->end);
}

static noinline u64 unusual_leaf(const struct ept02 *ept02, const struct ept02_root *root, unsigned int level, u64 entry,
				 u64 permissions)
{
	struct ept_rules rules = ept02_rules(ept02, root);
	l1_gpa_t page = l1_gpa(entry & EPT_ADDRESS);

	permissions &= entry & ept_permissions(&rules);
	if (!permissions || !ept_is_leaf(entry, level) || ept_is_misconfigured(entry, level, &rules))
		return 0;
	if (has_flags(root) && !(entry & EPT_ACCESSED))
		return 0;
	/* The first write to a clean page must be seen, to set its dirty flag. */
	if (has_flags(root) && !(entry & EPT_DIRTY))
		permissions &= ~EPT_WRITE;
	if (level > 1 && !(hardware_has(ept02, level) && l1_is_identity(ept02->memory, page, ept_level_size(level))))
		return 0;
	return permissions ? l1_to_hpa(ept02->memory, page).value | permissions |
			     (entry & (LEAF_ATTRIBUTES | (level > 1 ? EPT_LARGE : 0) | (has_flags(root) ? LEAF_FLAGS : 0))) : 0;
}

u64 ept02_leaf(const struct ept02 *ept02, const struct ept02_root *root, unsigned int level, u64 entry, u64 permissions)
{
	if (likely(permissions & EPT_READ) && is_ordinary(&root->ordinary[level - 1], entry))
		return entry & (permissions | ~EPT_PERMISSIONS);
	return unusual_leaf(ept02, root, level, entry, permissions);
}

/*
 * 16 words read once, and judged by what they have in common where they will stay: this table is L0's, and nothing walks it
 * before L2 runs again. The AND of all is no more than the least of them, the OR no less than the greatest.
 */
bool ept02_fill_fresh(const struct ept02_ordinary *ordinary, u64 *to, const u64 *from)
{
	u64 all = ~UINT64_C(0), any = 0;

#pragma GCC unroll 16
	for (unsigned int i = 0; i < EPT02_GROUP; i++) {
		u64 entry = atomic_read64(&from[i]);

		atomic_write64(&to[i], entry);
		all &= entry;
		any |= entry;
	}
	/* All before the hidden block, or all behind it. */
	if (likely((any & ordinary->mask) == ordinary->value) && likely((~all & ordinary->value) == 0) &&
	    (likely((any & EPT_ADDRESS) < ordinary->begin) || (all & EPT_ADDRESS) >= ordinary->end))
		return true;
	__builtin_memset(to, 0, EPT02_GROUP * sizeof(u64));
	return false;
}

void ept02_fill_rest(const struct ept02 *ept02, const struct ept02_root *root, u64 *to, const u64 *source,
		     const struct ept02_original *from)
{
	for (const u64 *end = source + EPT02_GROUP; source < end; source++, to++) {
		u64 entry;

		if (*to)
			continue;
		entry = atomic_read64(source);
		if (!ept02_is_present(entry))
			continue;
		entry = ept02_leaf(ept02, root, from->level, entry, from->permissions);
		if (entry)
			atomic_write64(to, entry);
	}
}

void ept02_fill_group(const struct ept02 *ept02, const struct ept02_root *root, u64 *to, u32 *used, unsigned int index,
		      const struct ept02_original *from)
{
	unsigned int group = index / EPT02_GROUP, first = group * EPT02_GROUP;
	bool fresh = !bit_is_set(*used, group);

	*used |= (u32)BIT(group);
	if (!fresh || (root->all & ~from->permissions) ||
	    !ept02_fill_fresh(&root->ordinary[from->level - 1], to + first, from->table + first))
		ept02_fill_rest(ept02, root, to + first, from->table + first, from);
}

/*
 * How many words from the beginning are the same: `count` if all. L1 may be writing its own meanwhile. An entry
 * of EPT12 that is the same as a leaf of EPT02 is its own leaf, if the tables above have all permissions.
 */
static u64 same_words(const u64 *a, const u64 *b, u64 count)
{
	u64 left = count;
	bool same;

	__asm__ volatile("cmpq %%rcx, %%rcx\n repe cmpsq" : "+S"(a), "+D"(b), "+c"(left), "=@cce"(same) : : "memory");
	return same ? count : count - left - 1;
}

static void revalidate_leaves(const struct ept02 *ept02, const struct ept02_root *root, u64 *to, u64 count,
			      const u64 *from, u64 permissions)
{
	bool whole = !(root->all & ~permissions);

	for (u64 i = 0;; i++) {
		u64 now;

		i += whole ? same_words(to + i, from + i, count - i) : 0;
		if (i >= count)
			break;
		if (!to[i])
			continue;
		now = ept02_leaf(ept02, root, 1, atomic_read64(&from[i]), permissions);
		if (to[i] != now)
			atomic_write64(&to[i], now);
	}
}

/* Of `used`, as bits, the next run of groups from `*group` on: its length, or 0. */
static unsigned int next_run(u32 used, unsigned int *group)
{
	u64 rest = (u64)used >> *group << *group;

	if (!rest)
		return 0;
	*group = (unsigned int)__builtin_ctzll(rest);
	return (unsigned int)__builtin_ctzll(~(rest >> *group));
}

/* A link: parked, or undone where EPT12 has another kind of entry now and what is below is one page table. */
static u64 revalidate_link(struct ept02 *ept02, struct ept02_root *root, u64 entry, u64 entry12, unsigned int level)
{
	if (level > 2 || (ept02_is_present(entry12) && !ept_is_leaf(entry12, level)))
		return (entry & EPT_ADDRESS) | EPT02_PARKED;
	ept02_give_page(ept02, root, ept02_table_of(entry));
	return 0;
}

static void revalidate_upper(struct ept02 *ept02, struct ept02_root *root, u64 *to, u64 count, const u64 *from,
			     const struct ept02_original *original)
{
	for (u64 i = 0; i < count; i++) {
		u64 entry = to[i], entry12;

		if (!entry)
			continue;
		entry12 = atomic_read64(&from[i]);
		if (ept02_is_present(entry) && ept_is_leaf(entry, original->level))
			entry = ept02_leaf(ept02, root, original->level, entry12, original->permissions);
		else
			entry = revalidate_link(ept02, root, entry, entry12, original->level);
		atomic_write64(&to[i], entry);
	}
}

void ept02_revalidate(struct ept02 *ept02, struct ept02_root *root, u64 *to, u32 used,
		      const struct ept02_original *from)
{
	unsigned int group = 0, run;

	for (; (run = next_run(used, &group)) != 0; group += run) {
		unsigned int first = group * EPT02_GROUP, count = run * EPT02_GROUP;

		if (from->level == 1)
			revalidate_leaves(ept02, root, to + first, count, from->table + first, from->permissions);
		else
			revalidate_upper(ept02, root, to + first, count, from->table + first, from);
	}
}

void ept02_park(u64 *table, u32 used)
{
	unsigned int group = 0, run;

	for (; (run = next_run(used, &group)) != 0; group += run) {
		for (unsigned int i = group * EPT02_GROUP; i < (group + run) * EPT02_GROUP; i++)
			if (ept02_is_present(table[i]))
				atomic_write64(&table[i], (table[i] & EPT_ADDRESS) | EPT02_PARKED);
	}
}
