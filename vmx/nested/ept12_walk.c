/* SPDX-License-Identifier: MIT */
/*
 * Reading EPT12 and setting its accessed and dirty flags. Touches L1's memory
 * only through l1_read64 and l1_update64; composes nothing.
 */
#include "vmx/nested/ept12_walk.h"

static unsigned int levels_of(u64 eptp12)
{
	return (unsigned int)field_get(eptp12, EPTP_WALK_LENGTH) + 1;
}

/* Where the entry of `level` for this address is, in the table at `table`. */
static l1_gpa_t entry_at(u64 table, l2_gpa_t address, unsigned int level)
{
	u64 index = (address.value / ept_level_size(level)) % EPT_TABLE_ENTRIES;

	return l1_gpa(table + index * sizeof(u64));
}

/* The usual link: a table with all permissions. Nothing that could be wrong or a leaf is in it. */
static inline bool is_plain_link(u64 entry, unsigned int level, u64 beyond)
{
	return level > 1 && (entry & (EPT_RWX | BITS(7, 3) | beyond)) == EPT_RWX;
}

struct ept12_walk ept12_walk(const struct l1_memory *memory, const struct ept_rules *rules, u64 eptp12,
			     l2_gpa_t address)
{
	struct ept12_walk walk;
	u64 table = eptp12 & EPTP_ADDRESS;
	u64 permissions = ept_permissions(rules);
	const u64 beyond = EPT_ADDRESS & ~(BIT(rules->physical_address_bits) - 1);

	walk.outcome = EPT12_NOT_PRESENT;
	walk.permissions = walk.size = 0;
	walk.address = l1_gpa(0);
	walk.steps = 0;
	/* SDM "EPT Translation Mechanism": address bits that no level translates must be 0. */
	if (address.value >= ept_level_size(levels_of(eptp12) + 1))
		return walk;
	for (unsigned int level = levels_of(eptp12); level > 0; level--) {
		struct ept12_step *step = &walk.step[walk.steps++];

		step->at = entry_at(table, address, level);
		step->value = l1_read64(memory, step->at);
		permissions &= step->value;
		table = step->value & EPT_ADDRESS;
		if (likely(is_plain_link(step->value, level, beyond)))
			continue;
		if (!(step->value & ept_permissions(rules)))
			return walk;
		if (ept_is_misconfigured(step->value, level, rules)) {
			walk.outcome = EPT12_MISCONFIGURED;
			return walk;
		}
		if (!ept_is_leaf(step->value, level))
			continue;
		walk.outcome = EPT12_TRANSLATED;
		walk.permissions = permissions;
		walk.size = ept_level_size(level);
		walk.address = l1_gpa(table + (address.value & (walk.size - 1)));
		return walk;
	}
	return walk;
}

/* The flags that step `i` lacks. */
static u64 missing_flags(const struct ept12_walk *walk, unsigned int i, bool write)
{
	bool leaf = i + 1 == walk->steps;

	return (EPT_ACCESSED | (leaf && write ? EPT_DIRTY : 0)) & ~walk->step[i].value;
}

bool ept12_is_marked(const struct ept12_walk *walk, bool write)
{
	for (unsigned int i = 0; i < walk->steps; i++)
		if (missing_flags(walk, i, write))
			return false;
	return true;
}

bool ept12_mark_used(struct ept12_walk *walk, const struct l1_memory *memory, bool write)
{
	for (unsigned int i = 0; i < walk->steps; i++) {
		struct ept12_step *step = &walk->step[i];
		u64 set = missing_flags(walk, i, write);

		if (!set)
			continue;
		if (!l1_update64(memory, step->at, step->value, set))
			return false;
		step->value |= set;
	}
	return true;
}
