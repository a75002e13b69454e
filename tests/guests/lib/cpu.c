/* SPDX-License-Identifier: MIT */
/*
 * Which processor is this? Each has a GDT of its own, and nothing else that a
 * VM exit cannot change: GS and RSP are what the scenario makes of them.
 */
#include "tests/guests/lib/cpu.h"

#include "tests/guests/lib/ops.h"

struct cpu cpus[MAX_CPUS];
static u32 count = 1;

u32 cpu_count(void)
{
	return count;
}

void cpu_count_set(u32 found)
{
	count = found;
}

u32 cpu_here(void)
{
	struct table_register gdtr;

	if (count == 1)
		return 0;
	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	for (u32 i = 0; i < count; i++)
		if ((u64)cpus[i].tables->gdt == gdtr.base)
			return i;
	return 0;
}

struct cpu *cpu_this(void)
{
	return &cpus[cpu_here()];
}

void lock_take(volatile u32 *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

void lock_give(volatile u32 *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}
