/* SPDX-License-Identifier: MIT */
/* How the benchmarks measure; the figures go out as "B" lines. */
#pragma once

#include "tests/guests/lib/types.h"

#define SAMPLES 1000

/* L0's counters, CPUID leaf 0x40000002; all zero where Testudo is not below. */
enum l0_counter {
	L0_EXITS = 0,
	L0_VMREADS = 10,
	L0_VMWRITES = 11,
	L0_VMPTRLDS = 12,
	L0_VMCLEARS = 13,
};

void sample_begin(void);
void sample_add(u64 ticks);
u64 sample_median(void);

/* Median ticks of op over SAMPLES runs, and L0's exits for each, as B lines. */
void bench(const char *name, void (*op)(void));

/* Around a loop of count rounds: prints name.l0_exits and its like for each. */
void counters_begin(void);
void counters_end(const char *name, u64 count);

extern const u8 l2_cpuid_loop[], l2_touch_loop[], l2_sweep[];
