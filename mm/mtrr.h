/* SPDX-License-Identifier: MIT */
/*
 * The memory type that the MTRRs give a physical address. SDM "Memory Type
 * Range Registers (MTRRs)", "MTRR Precedences". Works on a struct of raw MSR
 * values, so tests can make any machine. Pure.
 */
#pragma once

#include "arch/bits.h"
#include "arch/types.h"

#define MTRR_FIXED_COUNT 11
#define MTRR_VARIABLE_MAX 64

/* IA32_MTRRCAP. */
#define MTRRCAP_VCNT BITS(7, 0)
#define MTRRCAP_FIX BIT(8)
/* IA32_MTRR_DEF_TYPE. */
#define MTRR_DEF_TYPE_TYPE BITS(7, 0)
#define MTRR_DEF_TYPE_FIXED_ENABLE BIT(10)
#define MTRR_DEF_TYPE_ENABLE BIT(11)
/* IA32_MTRR_PHYSMASKn. */
#define MTRR_PHYSMASK_VALID BIT(11)

/* The eleven fixed-range MSRs in the order of the memory they describe. */
extern const u32 mtrr_fixed_msrs[MTRR_FIXED_COUNT];

struct mtrr_state {
	u64 cap;		/* IA32_MTRRCAP */
	u64 def_type;		/* IA32_MTRR_DEF_TYPE */
	u64 fixed[MTRR_FIXED_COUNT];
	struct {
		u64 base;	/* IA32_MTRR_PHYSBASEn */
		u64 mask;	/* IA32_MTRR_PHYSMASKn */
	} variable[MTRR_VARIABLE_MAX];
	u8 physical_address_bits;
};

/*
 * The type at `address`; `*end` is an address beyond it up to which nothing
 * changes (more of the same may follow).
 */
u8 mtrr_type_at(const struct mtrr_state *state, u64 address, u64 *end);

/*
 * The type of [base, base + size), a range within the physical-address width.
 * Where it is not one (`*uniform` false): UC, which is safe for any memory.
 */
u8 mtrr_type(const struct mtrr_state *state, u64 base, u64 size, bool *uniform);
