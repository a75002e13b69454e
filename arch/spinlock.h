/* SPDX-License-Identifier: MIT */
/*
 * A spinlock for the little that processors share. Interrupts are off in root
 * mode; a lock is never held across a VM entry, nor taken in an NMI handler.
 */
#pragma once

#include "arch/ops.h"

struct spinlock {
	u32 held;
};

static inline bool spin_try_lock(struct spinlock *lock)
{
	return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spinlock *lock)
{
	while (!spin_try_lock(lock))
		cpu_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
