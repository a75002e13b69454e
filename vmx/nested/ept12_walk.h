/* SPDX-License-Identifier: MIT */
/*
 * A walk of EPT12, L1's tables for L2, as the processor would do it. L1's
 * other processors may write the tables meanwhile, so each entry is read once
 * and judged from the copy. SDM "EPT Translation Mechanism". Pure.
 */
#pragma once

#include "mm/ept.h"
#include "mm/l1_memory.h"

enum ept12_outcome {
	EPT12_TRANSLATED,	/* a leaf was reached; whether it allows the access is another question */
	EPT12_NOT_PRESENT,
	EPT12_MISCONFIGURED
};

struct ept12_step {
	l1_gpa_t at;		/* where the entry is */
	u64 value;		/* what it said */
};

struct ept12_walk {
	enum ept12_outcome outcome;
	u64 permissions;	/* AND of the permissions over the entries read; 0 when not present */
	u64 size;		/* of the page, when translated */
	l1_gpa_t address;	/* of the byte, when translated */
	unsigned int steps;	/* entries read */
	struct ept12_step step[EPT_MAX_LEVELS];
};

struct ept12_walk ept12_walk(const struct l1_memory *memory, const struct ept_rules *rules, u64 eptp12,
			     l2_gpa_t address);

/* The entry that decided: the leaf of a walk that translated. All ones where no level translates the address. */
static inline u64 ept12_last(const struct ept12_walk *walk)
{
	return walk->steps ? walk->step[walk->steps - 1].value : ~UINT64_C(0);
}

/*
 * Sets the accessed flags of a walk that translated, and with `write` the dirty flag of its
 * leaf, in L1's memory and in the copy. False when L1 changed an entry
 * meanwhile: walk again. SDM "Accessed and Dirty Flags for EPT".
 */
bool ept12_mark_used(struct ept12_walk *walk, const struct l1_memory *memory, bool write) must_check;

/* Would ept12_mark_used find every flag set? */
bool ept12_is_marked(const struct ept12_walk *walk, bool write);
