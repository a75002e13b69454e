/* SPDX-License-Identifier: MIT */
/*
 * Bits and bit fields of hardware words. We use masks, not C bit-fields,
 * because C does not pin their layout.
 */
#pragma once

#include "arch/types.h"

#define BIT(n) (UINT64_C(1) << (n))
/* Bits high..low, both included, as a mask. */
#define BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))

/* The field of `word` under `mask`, shifted down to bit 0. */
static inline u64 field_get(u64 word, u64 mask)
{
	return (word & mask) / (mask & -mask);
}

/* `value` shifted up into the field `mask`. */
static inline u64 field_put(u64 value, u64 mask)
{
	return (value * (mask & -mask)) & mask;
}

static inline bool bit_is_set(u64 word, unsigned int bit)
{
	return (word >> bit) & 1;
}
