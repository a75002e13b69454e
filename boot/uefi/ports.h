/* SPDX-License-Identifier: MIT */
/*
 * The few privileged instructions of the loader, one wrapper each.
 */
#pragma once

#include "arch/types.h"

static inline u64 read_msr(u32 msr)
{
	u32 low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline u64 read_cr3(void)
{
	u64 value;
	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline u64 read_cr4(void)
{
	u64 value;
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline u64 read_tsc(void)
{
	u32 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void read_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}
