/* SPDX-License-Identifier: MIT */
/*
 * L0's counters, as its CPUID leaves tell them (docs/cpuid.md), of the processor that asks.
 */
#pragma once

enum { L0_COUNTERS = 14, L0_REASONS = 128 };

struct l0_counts {
	unsigned long long counter[L0_COUNTERS], from_l1[L0_REASONS], from_l2[L0_REASONS];
};

struct l0_version {
	unsigned int major, minor, shadowing;
};

extern const char *const l0_counter_names[L0_COUNTERS];

/* Is Testudo beneath? */
int l0_present(void);
struct l0_version l0_version(void);

/* One counter of this processor, and its exits for one reason. */
struct l0_exits {
	unsigned long long from_l1, from_l2;
};
unsigned long long l0_counter(unsigned int index);
struct l0_exits l0_exits(unsigned int reason);

/* Adds this processor's counters; what this Testudo does not count stays. */
void l0_add(struct l0_counts *sums);

/* Prints this processor's trace ring (docs/tracing.md); 1 where there is none. */
int l0_trace_print(void);
