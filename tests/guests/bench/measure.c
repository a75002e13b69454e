/* SPDX-License-Identifier: MIT */
/*
 * Medians of single rounds, and L0's counters around a whole loop. Reading a
 * counter is itself one exit: only that is taken off.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"

static u64 samples[SAMPLES];
static u32 used;

static const struct {
	const char *suffix;
	enum l0_counter counter;
} counters[] = {
	{ ".l0_exits", L0_EXITS },	 { ".l0_vmreads", L0_VMREADS },
	{ ".l0_vmwrites", L0_VMWRITES }, { ".l0_vmptrlds", L0_VMPTRLDS },
	{ ".l0_vmclears", L0_VMCLEARS },
};
static u64 before[ARRAY_SIZE(counters)];

void sample_begin(void)
{
	used = 0;
}

void sample_add(u64 ticks)
{
	u32 at;

	if (used == SAMPLES)
		return;
	for (at = used++; at > 0 && samples[at - 1] > ticks; at--)
		samples[at] = samples[at - 1];
	samples[at] = ticks;
}

u64 sample_median(void)
{
	return used ? samples[used / 2] : 0;
}

static u64 counter_read(enum l0_counter counter)
{
	struct cpuid_result r = cpuid(0x40000002, counter);

	return ((u64)r.edx << 32) | r.eax;
}

void counters_begin(void)
{
	if (!under_testudo())
		return;
	for (u32 i = ARRAY_SIZE(counters); i-- > 0;)
		before[i] = counter_read(counters[i].counter);
}

void counters_end(const char *name, u64 count)
{
	char full[80];
	u32 length = 0;

	if (!under_testudo())
		return;
	/* The exits first: what happened since the last read before, less that read. */
	for (u32 i = 0; i < ARRAY_SIZE(counters); i++) {
		u64 difference = counter_read(counters[i].counter) - before[i];

		if (counters[i].counter == L0_EXITS)
			difference -= 2; /* under_testudo() above and one read */
		for (length = 0; name[length] && length < 50; length++)
			full[length] = name[length];
		for (const char *s = counters[i].suffix; *s; s++)
			full[length++] = *s;
		full[length] = 0;
		measured(full, difference * 100 / count);
	}
}

static void nothing(void)
{
}

static u64 median_of(void (*volatile op)(void))
{
	sample_begin();
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		op();
		sample_add(rdtsc() - start);
	}
	return sample_median();
}

void bench(const char *name, void (*op)(void))
{
	u64 overhead = median_of(nothing);
	u64 median = median_of(op);

	measured(name, (median - overhead) * 100);
	counters_begin();
	for (u32 i = 0; i < SAMPLES; i++)
		op();
	counters_end(name, SAMPLES);
}
