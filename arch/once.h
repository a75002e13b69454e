/* SPDX-License-Identifier: MIT */
/*
 * What the first processor to come does for all. The others wait until it is
 * done, so it is for bring-up only: after launch nobody waits for anybody
 * without a lock that has a name (drivers/lock.h). Works before GS is L0's.
 */
#pragma once

#include "arch/ops.h"

struct once {
	u32 state;
};

enum { ONCE_NEW, ONCE_UNDER_WAY, ONCE_DONE };

/* True for the one caller who is to do it, and then calls once_end(). For the others it has been done. */
static inline bool once_begin(struct once *once)
{
	u32 expected = ONCE_NEW;

	if (__atomic_compare_exchange_n(&once->state, &expected, ONCE_UNDER_WAY, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
		return true;
	while (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) != ONCE_DONE)
		cpu_pause();
	return false;
}

static inline void once_end(struct once *once)
{
	__atomic_store_n(&once->state, ONCE_DONE, __ATOMIC_RELEASE);
}
