/* SPDX-License-Identifier: MIT */
/* Runs of memory of one type, mapped and retyped: see mm/ept_types.h. */
#include "mm/ept_types.h"

/* Types that EPT does not have are reserved in MTRRs too: the processor takes them for UC, so do we. */
static enum memory_type ept_type(u8 type)
{
	return type == MEMORY_WC || type == MEMORY_WT || type == MEMORY_WP || type == MEMORY_WB ? (enum memory_type)type
												: MEMORY_UC;
}

/* The type at `at`, and the end of the memory from there that has it, at most `limit`. */
static enum memory_type type_run(const struct mtrr_state *state, u64 at, u64 limit, u64 *end)
{
	enum memory_type type = ept_type(mtrr_type_at(state, at, end));
	u64 next;

	while (*end < limit && ept_type(mtrr_type_at(state, *end, &next)) == type)
		*end = next;
	if (*end > limit)
		*end = limit;
	return type;
}

bool ept_types_map(struct ept_types *types, u64 from, u64 to)
{
	u64 end;

	for (u64 at = from; at < to; at = end) {
		enum memory_type type = type_run(&types->mtrrs, at, to, &end);

		if (!ept_map(types->ept, at, hpa(at), end - at, ept_attributes(EPT_RWX, type)))
			return false;
	}
	return true;
}

/* Both types at `at`, and where either may change. */
static bool types_agree(const struct ept_types *types, const struct mtrr_state *now, u64 at, enum memory_type *type, u64 *end)
{
	u64 end_before;
	enum memory_type before = type_run(&types->mtrrs, at, types->limit, &end_before);

	*type = type_run(now, at, types->limit, end);
	if (end_before < *end)
		*end = end_before;
	return *type == before;
}

/*
 * Departs from SDM "IA32_MTRR_DEF_TYPE MSR": while L1 has the MTRRs disabled in order to change
 * them, memory keeps its types. L1 runs with caches disabled (CR0.CD) then, which makes every
 * access UC under EPT as well; and the other processors, which have not come so far, lose nothing.
 */
bool ept_types_follow(struct ept_types *types, const struct mtrr_state *now)
{
	enum memory_type type;
	u64 end;

	if (!(now->def_type & MTRR_DEF_TYPE_ENABLE))
		return true;
	for (u64 at = 0; at < types->limit; at = end) {
		bool same = types_agree(types, now, at, &type, &end);

		if (same && !types->incomplete)
			continue;
		if (!ept_set_memory_type(types->ept, at, end - at, type)) {
			types->incomplete = true;
			types->mtrrs = *now;
			return false;
		}
	}
	types->incomplete = false;
	types->mtrrs = *now;
	return true;
}

bool ept_types_differ(const struct ept_types *types, const struct mtrr_state *other, u64 *where)
{
	enum memory_type type;
	u64 end;

	for (u64 at = 0; at < types->limit; at = end) {
		*where = at;
		if (!types_agree(types, other, at, &type, &end))
			return true;
	}
	return false;
}
