/* SPDX-License-Identifier: MIT */
/*
 * The few atomic accesses we need, by name. No privileged instruction.
 */
#pragma once

#include "arch/types.h"

/* One read or write that is neither torn nor repeated by the compiler. */
static inline u64 atomic_read64(const u64 *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static inline u32 atomic_read32(const u32 *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static inline void atomic_write64(u64 *at, u64 value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* `at` becomes `wanted` if it still equals `expected`; says whether it did. */
static inline bool atomic_replace64(u64 *at, u64 expected, u64 wanted)
{
	return __atomic_compare_exchange_n(at, &expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
