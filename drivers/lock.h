/* SPDX-License-Identifier: MIT */
/*
 * Locks for the little that processors share after launch. Each has a name and
 * a rank, and ranks are taken in rising order; a lock taken against the order,
 * or still held at a VM entry, is a panic that names it. Held for a bounded
 * time, never taken by the NMI handler. docs/architecture.md, "Locks", lists them.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

/* All locks of L0, in the order in which one CPU may take them. */
enum lock_rank {
	LOCK_RANK_EPT01 = 1,
	LOCK_RANK_SERIAL,
	LOCK_RANK_CONSOLE		/* the last: every other holder may print */
};

struct lock {
	u32 owner;			/* a CPU's index + 1; 0: free */
	u32 rank;			/* enum lock_rank */
	const char *name;
	struct lock *before;		/* what its owner holds besides, the newest first */
};

#define LOCK(lock_name, lock_rank) { .rank = (lock_rank), .name = (lock_name) }

void lock_take(struct lock *lock);

/*
 * The same for callers that must go on whatever happens, as in a panic: false
 * when this CPU has the lock itself, or `patience` tries were in vain.
 */
bool lock_take_patiently(struct lock *lock, u32 patience) must_check;

/* Is this CPU its owner? An exception may have come in the middle. */
bool lock_is_mine(const struct lock *lock);

/* The newest one first. */
void lock_release(struct lock *lock);

/* To be called when vcpu_enter() refuses to enter: a panic if it is because of a lock. */
void lock_check_none_held(void);
