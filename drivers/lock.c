/* SPDX-License-Identifier: MIT */
/*
 * Taking and releasing locks: see drivers/lock.h. Each CPU chains the locks that
 * it holds, so the order is checked with one comparison, in all builds.
 */
#include "drivers/lock.h"

#include "arch/ops.h"
#include "arch/percpu.h"
#include "drivers/panic.h"

static u32 own_mark(void)
{
	return percpu()->index + 1;
}

static bool try(struct lock *lock)
{
	struct percpu *cpu = percpu();
	u32 expected = 0;

	if (!__atomic_compare_exchange_n(&lock->owner, &expected, own_mark(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	lock->before = cpu->newest_lock;
	cpu->newest_lock = lock;
	cpu->locks_held++;
	return true;
}

void lock_take(struct lock *lock)
{
	const struct lock *newest = percpu()->newest_lock;

	if (newest != NULL && newest->rank >= lock->rank)
		panic("lock order: \"%s\" (rank %u) is wanted while \"%s\" (rank %u) is held", lock->name, lock->rank,
		      newest->name, newest->rank);
	while (!try(lock)) {
		if (panic_is_active()) /* its owner may never come back */
			panic_stop_here();
		cpu_pause();
	}
}

bool lock_take_patiently(struct lock *lock, u32 patience)
{
	if (lock_is_mine(lock))
		return false;
	for (u32 i = 0; i < patience; i++) {
		if (try(lock))
			return true;
		cpu_pause();
	}
	return false;
}

bool lock_is_mine(const struct lock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == own_mark();
}

void lock_release(struct lock *lock)
{
	struct percpu *cpu = percpu();

	if (cpu->newest_lock != lock)
		panic("lock order: \"%s\" is released while \"%s\" is the newest held", lock->name,
		      cpu->newest_lock != NULL ? cpu->newest_lock->name : "none");
	cpu->newest_lock = lock->before;
	cpu->locks_held--;
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}

void lock_check_none_held(void)
{
	const struct lock *newest = percpu()->newest_lock;

	if (newest != NULL)
		panic("VM entry while lock \"%s\" is held", newest->name);
}
