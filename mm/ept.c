/* SPDX-License-Identifier: MIT */
/*
 * Building and reading extended page tables. See ept.h. A table is complete
 * before the one store that links it, so another processor that walks the
 * tables meanwhile sees the old translation or the new, never anything else.
 */
#include "mm/ept.h"

#include "mm/phys.h"

static unsigned int index_at(u64 gpa, unsigned int level)
{
	return (unsigned int)(gpa / ept_level_size(level)) % EPT_TABLE_ENTRIES;
}

static void store(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static u64 load(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static bool is_present(u64 entry)
{
	/* Without mode-based execute control bit 10 is ignored, and no entry of ours has it alone. */
	return (entry & EPT_PERMISSIONS) != 0;
}

static bool is_table(u64 entry, unsigned int level)
{
	return is_present(entry) && !ept_is_leaf(entry, level);
}

static u64 *table_of(u64 entry)
{
	return phys_to_ptr(hpa(entry & EPT_ADDRESS));
}

static u64 link_to(const u64 *table)
{
	return phys_of(table).value | EPT_PERMISSIONS;
}

static bool is_reachable(const struct ept *ept, u64 gpa)
{
	return gpa < ept_level_size(ept->levels + 1u);
}

u64 ept_pointer(const struct ept *ept, enum memory_type type, bool accessed_dirty)
{
	return phys_of(ept->root).value | field_put((u64)type, EPTP_MEMORY_TYPE) |
	       field_put(ept->levels - 1u, EPTP_WALK_LENGTH) | (accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}

/* The leaf of the next lower level that maps the `i`th part of what `leaf` (of `level`) maps. */
static u64 part_of(u64 leaf, unsigned int level, unsigned int i)
{
	u64 part = leaf + i * ept_level_size(level - 1);

	/* At level 1 the bit has another meaning: there it is ignored. */
	return level == 2 ? part & ~EPT_LARGE : part;
}

/*
 * Puts a table of our own behind an entry of `level` (2 or more) that is not
 * present, a leaf or a shared table, without changing what it translates.
 */
static bool put_table(struct ept *ept, u64 *entry, unsigned int level)
{
	u64 old = load(entry);
	u64 *table = ept->take_page(ept->context);
	const u64 *shared = is_table(old, level) ? table_of(old) : NULL;

	if (!table)
		return false;
	if (is_present(old)) {
		for (unsigned int i = 0; i < EPT_TABLE_ENTRIES; i++)
			table[i] = shared ? load(&shared[i]) : part_of(old, level, i);
	}
	store(entry, link_to(table));
	return true;
}

/* The entry of `level` for this address, with tables of our own all the way; NULL without a page left. */
static u64 *make_entry(struct ept *ept, u64 gpa, unsigned int level)
{
	u64 *table = ept->root;

	for (unsigned int at = ept->levels; at > level; at--) {
		u64 *entry = &table[index_at(gpa, at)];
		u64 value = load(entry);

		if (!is_table(value, at) || (value & EPT_SHARED_TABLE)) {
			if (!put_table(ept, entry, at))
				return NULL;
			value = load(entry);
		}
		table = table_of(value);
	}
	return &table[index_at(gpa, level)];
}

/* The highest level at which one leaf can begin the range. */
static unsigned int leaf_level(const struct ept *ept, u64 gpa, hpa_t to, u64 size)
{
	u64 both = gpa | to.value;

	if (ept->has_1g && size >= SIZE_1G && !(both & (SIZE_1G - 1)))
		return 3;
	if (ept->has_2m && size >= SIZE_2M && !(both & (SIZE_2M - 1)))
		return 2;
	return 1;
}

/*
 * Maps the first part of the range by leaves of one size that lie side by side in one table, which is found once; no larger
 * leaf can begin before that table's end. Returns what they map, or 0 without a page left.
 */
static u64 map_some(struct ept *ept, u64 gpa, hpa_t to, u64 size, u64 attributes)
{
	unsigned int level = leaf_level(ept, gpa, to, size);
	u64 *entry = make_entry(ept, gpa, level);
	u64 step, done = 0;

	/* A table of our own stays: it cannot be freed while another processor may be reading it. */
	while (entry && is_table(*entry, level) && !(*entry & EPT_SHARED_TABLE))
		entry = make_entry(ept, gpa, --level);
	if (!entry)
		return 0;
	step = ept_level_size(level);
	attributes |= level > 1 ? EPT_LARGE : 0;
	do {
		store(entry++, (to.value + done) | attributes);
		done += step;
	} while (size - done >= step && index_at(gpa + done, level) && (!is_table(*entry, level) || (*entry & EPT_SHARED_TABLE)));
	return done;
}

bool ept_map(struct ept *ept, u64 gpa, hpa_t to, u64 size, u64 attributes)
{
	while (size > 0) {
		u64 done = is_reachable(ept, gpa) ? map_some(ept, gpa, to, size, attributes) : 0;

		if (done == 0)
			return false;
		gpa += done;
		to.value += done;
		size -= done;
	}
	return true;
}

struct ept_translation ept_lookup(const struct ept *ept, u64 gpa)
{
	struct ept_translation found = { .permissions = EPT_PERMISSIONS };
	u64 *table = ept->root;

	if (!is_reachable(ept, gpa))
		return (struct ept_translation){ .size = 0 };
	for (unsigned int level = ept->levels;; level--) {
		found.entry = &table[index_at(gpa, level)];
		found.value = load(found.entry);
		found.size = ept_level_size(level);
		found.permissions &= found.value;
		if (!is_table(found.value, level))
			break;
		found.shared |= (found.value & EPT_SHARED_TABLE) != 0;
		table = table_of(found.value);
	}
	if (is_present(found.value))
		found.address = hpa((found.value & EPT_ADDRESS) + (gpa & (found.size - 1)));
	return found;
}

bool ept_unmap(struct ept *ept, u64 gpa)
{
	struct ept_translation old = ept_lookup(ept, gpa);

	if (!is_present(old.value) || old.shared)
		return false;
	store(old.entry, 0);
	return true;
}

bool ept_split(struct ept *ept, u64 gpa, u64 size)
{
	for (;;) {
		struct ept_translation now = ept_lookup(ept, gpa);

		if (!is_present(now.value) || now.size <= size)
			return true;
		if (!put_table(ept, now.entry, now.size == SIZE_1G ? 3 : 2))
			return false;
	}
}

bool ept_set_memory_type(struct ept *ept, u64 gpa, u64 size, enum memory_type type)
{
	u64 end = gpa + size;

	while (gpa < end && is_reachable(ept, gpa)) {
		struct ept_translation now = ept_lookup(ept, gpa);
		u64 slot = align_down(gpa, now.size);
		bool keep = !is_present(now.value) || now.shared ||
			    field_get(now.value, EPT_MEMORY_TYPE) == (u64)type;

		if (!keep && (slot < gpa || slot + now.size > end)) {
			if (!ept_split(ept, gpa, now.size / EPT_TABLE_ENTRIES))
				return false;
			continue;
		}
		if (!keep)
			store(now.entry, (now.value & ~EPT_MEMORY_TYPE) | field_put((u64)type, EPT_MEMORY_TYPE));
		gpa = slot + now.size;
	}
	return true;
}

bool ept_link_table(struct ept *ept, u64 gpa, u64 *table)
{
	u64 *entry = is_reachable(ept, gpa) ? make_entry(ept, gpa, 2) : NULL;

	if (!entry)
		return false;
	store(entry, link_to(table) | EPT_SHARED_TABLE);
	return true;
}

/* SDM "Formats of EPT Paging-Structure Entries": the bits that must be 0 in a present entry. */
static u64 reserved_bits(u64 entry, unsigned int level, const struct ept_rules *rules)
{
	u64 beyond = EPT_ADDRESS & ~(BIT(rules->physical_address_bits) - 1);

	if (!ept_is_leaf(entry, level))
		return beyond | (level >= 4 ? BITS(7, 3) : BITS(6, 3));
	if (level == 3)
		return beyond | (EPT_ADDRESS & (SIZE_1G - 1)) | (rules->has_1g ? 0 : EPT_LARGE);
	if (level == 2)
		return beyond | (EPT_ADDRESS & (SIZE_2M - 1)) | (rules->has_2m ? 0 : EPT_LARGE);
	return beyond;
}

bool ept_is_misconfigured(u64 entry, unsigned int level, const struct ept_rules *rules)
{
	u64 type = field_get(entry, EPT_MEMORY_TYPE), permissions = entry & ept_permissions(rules);

	if (!permissions)
		return false;
	if (!(permissions & EPT_READ) && ((permissions & EPT_WRITE) || !rules->execute_only))
		return true;
	if (entry & reserved_bits(entry, level, rules))
		return true;
	return ept_is_leaf(entry, level) && (type == 2 || type == 3 || type == 7);
}
