/* SPDX-License-Identifier: MIT */
/*
 * Decodes MTRRs: see mm/mtrr.h. Where the SDM leaves an overlap undefined we
 * take UC, which no memory is harmed by.
 */
#include "mm/mtrr.h"

#include "mm/addr.h"

enum { TYPE_UC = 0, TYPE_WT = 4, TYPE_WB = 6 };

#define FIXED_RANGE_END UINT64_C(0x100000)

/* SDM "Fixed Range MTRRs": eight ranges of 64 KB, sixteen of 16 KB, sixty-four of 4 KB. */
const u32 mtrr_fixed_msrs[MTRR_FIXED_COUNT] = {
	0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f
};

static u8 fixed_type_at(const struct mtrr_state *state, u64 address, u64 *end)
{
	u64 range, size;

	if (address < 0x80000) {
		size = 0x10000;
		range = address / size;
	} else if (address < 0xc0000) {
		size = 0x4000;
		range = 8 + (address - 0x80000) / size;
	} else {
		size = 0x1000;
		range = 24 + (address - 0xc0000) / size;
	}
	*end = align_down(address, size) + size;
	return (u8)(state->fixed[range / 8] >> (8 * (range % 8)));
}

/*
 * Does range n hold `address`? Lowers `*end` to where the answer may change. A
 * mask may have holes (SDM "Variable Range MTRRs" only discourages them), so
 * the answer is constant only within blocks of its lowest set bit.
 */
static bool variable_matches(const struct mtrr_state *state, u32 n, u64 address, u64 *end)
{
	u64 width = state->physical_address_bits >= 64 ? ~UINT64_C(0) : BIT(state->physical_address_bits) - 1;
	u64 mask = state->variable[n].mask & width & ~PAGE_MASK;
	u64 base = state->variable[n].base & width & ~PAGE_MASK;
	u64 granule, next;

	if (!(state->variable[n].mask & MTRR_PHYSMASK_VALID))
		return false;
	if (mask == 0)
		return true;
	granule = mask & -mask;
	next = align_down(address, granule) + granule;
	/* A mask without holes, and we are not inside: nothing changes before its base, or any more. */
	if (((mask | (granule - 1)) & width) == width && (address & mask) != (base & mask))
		next = address < (base & mask) ? (base & mask) : width + 1;
	if (next < *end)
		*end = next;
	return (address & mask) == (base & mask);
}

/* SDM "MTRR Precedences". */
static u8 combine(u8 one, u8 other)
{
	if (one == other)
		return one;
	if ((one == TYPE_WT && other == TYPE_WB) || (one == TYPE_WB && other == TYPE_WT))
		return TYPE_WT;
	return TYPE_UC;
}

u8 mtrr_type_at(const struct mtrr_state *state, u64 address, u64 *end)
{
	u32 count = (u32)field_get(state->cap, MTRRCAP_VCNT);
	bool found = false;
	u8 type = 0;

	*end = state->physical_address_bits >= 64 ? ~UINT64_C(0) : BIT(state->physical_address_bits);
	if (!(state->def_type & MTRR_DEF_TYPE_ENABLE))
		return TYPE_UC;
	if (address < FIXED_RANGE_END && (state->cap & MTRRCAP_FIX) && (state->def_type & MTRR_DEF_TYPE_FIXED_ENABLE))
		return fixed_type_at(state, address, end);

	for (u32 n = 0; n < count && n < MTRR_VARIABLE_MAX; n++) {
		u8 range_type = (u8)(state->variable[n].base & 0xff);

		if (!variable_matches(state, n, address, end))
			continue;
		type = found ? combine(type, range_type) : range_type;
		found = true;
	}
	return found ? type : (u8)field_get(state->def_type, MTRR_DEF_TYPE_TYPE);
}

u8 mtrr_type(const struct mtrr_state *state, u64 base, u64 size, bool *uniform)
{
	u64 end;
	u8 type = mtrr_type_at(state, base, &end);

	*uniform = true;
	while (end < base + size) {
		if (mtrr_type_at(state, end, &end) != type) {
			*uniform = false;
			return TYPE_UC;
		}
	}
	return type;
}
