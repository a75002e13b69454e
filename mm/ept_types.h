/* SPDX-License-Identifier: MIT */
/*
 * Memory types of an identity map by the MTRRs, and how they follow when the
 * MTRRs change: for EPT01. SDM "Memory Type Used for Translated Guest-Physical
 * Addresses". Knows neither locks nor caches: the caller serialises changes and
 * drops what its processor has cached. Pure.
 */
#pragma once

#include "mm/ept.h"
#include "mm/mtrr.h"

struct ept_types {
	struct ept *ept;
	struct mtrr_state mtrrs;	/* whose types the tables have */
	u64 limit;			/* bytes from 0 up that follow */
	bool incomplete;		/* the last change ran out of pages: do not trust `mtrrs` */
};

/* Maps [from, to) to itself with the types of `mtrrs`. */
bool ept_types_map(struct ept_types *types, u64 from, u64 to) must_check;

/*
 * A processor's MTRRs are now these. While they are disabled nothing changes:
 * see ept_types.c. False without a page left: some memory keeps its type.
 */
bool ept_types_follow(struct ept_types *types, const struct mtrr_state *now) must_check;

/* Is there an address whose type these MTRRs say otherwise? */
bool ept_types_differ(const struct ept_types *types, const struct mtrr_state *other, u64 *where);
