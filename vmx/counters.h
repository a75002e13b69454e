/* SPDX-License-Identifier: MIT */
/*
 * The counters of a CPU, shown to L1 by the CPUID leaves 0x40000002 (by index)
 * and 0x40000003 (by exit reason). The order is an interface: docs/.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/percpu.h"

#define COUNTED_EXIT_REASONS 80

enum counter {
	COUNTER_EXITS,			/* VM exits in all: this and the next two are the sums of those by reason */
	COUNTER_EXITS_L1,
	COUNTER_EXITS_L2,
	COUNTER_REFLECTED,		/* exits of L2 given to L1 */
	COUNTER_VMCS02_BUILDS,
	COUNTER_EPT02_FILLS,
	COUNTER_VMREAD_EXITS,
	COUNTER_VMWRITE_EXITS,
	COUNTER_VM_ENTRY_EXITS,		/* VMLAUNCH and VMRESUME */
	COUNTER_ENTRY_REFUSALS,
	COUNTER_VMREADS,		/* instructions that L0 executed */
	COUNTER_VMWRITES,
	COUNTER_VMPTRLDS,
	COUNTER_VMCLEARS,
	COUNTER_COUNT,

	COUNTER_BY_REASON_L1 = 16,
	COUNTER_BY_REASON_L2 = COUNTER_BY_REASON_L1 + COUNTED_EXIT_REASONS,
	COUNTER_KEPT = COUNTER_BY_REASON_L2 + COUNTED_EXIT_REASONS,	/* of those, after which L2 went on: by reason, for the monitor */
	COUNTER_END = COUNTER_KEPT + COUNTED_EXIT_REASONS
};

static_assert(COUNTER_COUNT <= COUNTER_BY_REASON_L1, "the leaf's indices come first");
static_assert(COUNTER_END <= PERCPU_COUNTERS, "they live in struct percpu");

static inline void count(enum counter counter)
{
	__asm__ volatile("incq %%gs:%c0"
			 : : "i"(offsetof(struct percpu, counter) + sizeof(u64) * counter) : "cc");
}

/* So many at once: the hottest paths count their VMCS accesses in one go. */
static inline void count_many(enum counter counter, u64 number)
{
	__asm__ volatile("addq %1, %%gs:%c0"
			 : : "i"(offsetof(struct percpu, counter) + sizeof(u64) * counter), "er"(number) : "cc");
}

/* A counter whose number is known only at run time; out of range counts nothing. */
static inline void count_at(u32 counter)
{
	if (counter < COUNTER_END)
		percpu_count(0, counter);
}

/* The last place is for all that have none. */
static inline void count_exit_reason(bool from_l2, u64 reason)
{
	if (unlikely(reason >= COUNTED_EXIT_REASONS))
		reason = COUNTED_EXIT_REASONS - 1;
	if (from_l2)
		percpu_count(COUNTER_BY_REASON_L2, reason);
	else
		percpu_count(COUNTER_BY_REASON_L1, reason);
}

/* L0 has handled an exit of L2, which goes on. */
static inline void count_kept(u64 reason)
{
	if (unlikely(reason >= COUNTED_EXIT_REASONS))
		reason = COUNTED_EXIT_REASONS - 1;
	percpu_count(COUNTER_KEPT, reason);
}

static inline u64 counter_stored(u32 counter)
{
	return counter < COUNTER_END ? ((volatile const u64 *)percpu()->counter)[counter] : 0;
}

static inline u64 counter_sum(u32 first)
{
	u64 sum = 0;

	for (u32 reason = 0; reason < COUNTED_EXIT_REASONS; reason++)
		sum += counter_stored(first + reason);
	return sum;
}

static inline u64 counter_value(u32 counter)
{
	switch (counter) {
	case COUNTER_EXITS:
		return counter_sum(COUNTER_BY_REASON_L1) + counter_sum(COUNTER_BY_REASON_L2);
	case COUNTER_EXITS_L1:
		return counter_sum(COUNTER_BY_REASON_L1);
	case COUNTER_EXITS_L2:
		return counter_sum(COUNTER_BY_REASON_L2);
	default:
		return counter_stored(counter);
	}
}
