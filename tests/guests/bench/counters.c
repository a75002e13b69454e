/* SPDX-License-Identifier: MIT */
/*
 * Who is below, and what has it done? Testudo's counters by CPUID leaf
 * 0x40000002 (docs/cpuid.md), KVM's exits by the VMM's port; the bare machine
 * has none. And what a tick is.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"

#define LEAF_COUNTER 0x40000002

const char *const counter_names[KIND_COUNT] = {
	[KIND_EXITS] = "l0_exits",	 [KIND_VMREADS] = "l0_vmreads",	  [KIND_VMWRITES] = "l0_vmwrites",
	[KIND_VMPTRLDS] = "l0_vmptrlds", [KIND_VMCLEARS] = "l0_vmclears",
};

/* The order of the leaf: docs/cpuid.md. */
static const u32 index[KIND_COUNT] = {
	[KIND_EXITS] = 0, [KIND_VMREADS] = 10, [KIND_VMWRITES] = 11, [KIND_VMPTRLDS] = 12, [KIND_VMCLEARS] = 13,
};

static bool read_kvm(u64 value[KIND_COUNT])
{
	u32 exits;

	for (u32 i = 0; i < KIND_COUNT; i++)
		value[i] = COUNTER_UNKNOWN;
	if (!machine_exits(&exits))
		return false;
	value[KIND_EXITS] = exits;
	return true;
}

bool counters_read(u64 value[KIND_COUNT])
{
	if (!under_testudo())
		return read_kvm(value);
	for (u32 i = 0; i < KIND_COUNT; i++) {
		struct cpuid_result r = cpuid(LEAF_COUNTER, index[i]);

		value[i] = (u64)r.edx << 32 | r.eax;
	}
	return true;
}

/* Hundredths of a tick for one pass of a loop of so many instructions, which no processor does in as many cycles. */
#define LOOP_PASSES 100000ull
#define LOOP_TICKS(text)                                                               \
	({                                                                             \
		u64 n = LOOP_PASSES, begin = rdtsc();                                  \
		__asm__ volatile("1: " text "dec %0; jnz 1b" : "+r"(n) : : "rax", "rdx", "cc"); \
		(rdtsc() - begin) * 100 / LOOP_PASSES;                                 \
	})

void ticks_explain(void)
{
	u64 two = LOOP_TICKS(""), ten = LOOP_TICKS("mul %%rax; mul %%rax; mul %%rax; mul %%rax; nop; nop; nop; nop;");

	if (two == 200 && ten == 1000)
		info("ticks are instructions");
	else
		info("ticks are cycles of the time-stamp counter: %lu and %lu hundredths for loops of 2 and 10 instructions", two, ten);
}
