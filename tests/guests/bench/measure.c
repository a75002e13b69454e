/* SPDX-License-Identifier: MIT */
/*
 * Medians of single rounds, and L0's counters around all of them. Reading the
 * counters makes exits of its own: an empty measurement tells how many, and
 * they are taken off.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"

static u64 samples[SAMPLES], sum;
static u32 used, taken;
static u64 before[KIND_COUNT], own[KIND_COUNT], done[KIND_COUNT];
static u64 aside[KIND_COUNT]; /* what is not timed and so not to be counted */
static bool counted, calibrated;

static void difference(u64 out[KIND_COUNT])
{
	u64 after[KIND_COUNT];

	if (!counters_read(after))
		return;
	for (u32 i = 0; i < KIND_COUNT; i++)
		out[i] = before[i] == COUNTER_UNKNOWN ? COUNTER_UNKNOWN : after[i] - before[i];
}

static void calibrate(void)
{
	/* The second time: caches of L0's, its code paths too, are warm then. */
	for (u32 i = 0; i < 2 && counters_read(before); i++)
		difference(own);
	calibrated = true;
}

void measure_begin(void)
{
	if (!calibrated)
		calibrate();
	used = taken = 0;
	sum = 0;
	counted = counters_read(before);
}

void measure_sample(u64 ticks)
{
	u32 at;

	sum += ticks;
	taken++;
	if (used == SAMPLES)
		return;
	for (at = used++; at > 0 && samples[at - 1] > ticks; at--)
		samples[at] = samples[at - 1];
	samples[at] = ticks;
}

static void print(const char *name, const char *suffix, u64 hundredths)
{
	char full[80];
	u32 length = 0;

	for (const char *s = name; *s && length < 50; s++)
		full[length++] = *s;
	full[length++] = '.';
	for (const char *s = suffix; *s; s++)
		full[length++] = *s;
	full[length] = 0;
	measured(full, hundredths);
}

u64 measure_exits(void)
{
	return counted && done[KIND_EXITS] != COUNTER_UNKNOWN ? done[KIND_EXITS] : 0;
}

void measure_stop(void)
{
	if (!counted)
		return;
	difference(done);
	for (u32 i = 0; i < KIND_COUNT; i++)
		if (done[i] != COUNTER_UNKNOWN)
			done[i] -= done[i] < own[i] ? done[i] : own[i];
}

/* What the preparations of all rounds make L0 do. */
static void put_aside(const struct row *row)
{
	measure_begin();
	for (u32 i = 0; i < row->rounds && row->before; i++)
		row->before();
	measure_stop();
	memcpy(aside, done, sizeof(aside));
}

static void take_off_aside(void)
{
	for (u32 i = 0; counted && i < KIND_COUNT; i++)
		if (done[i] != COUNTER_UNKNOWN)
			done[i] -= done[i] < aside[i] ? done[i] : aside[i];
}

static void print_all(const char *name, u64 count, u64 entries, u64 overhead)
{
	u64 median = used ? samples[used / 2] : 0, mean = taken ? sum * 100 / taken : 0;

	measured(name, median > overhead ? (median - overhead) * 100 : 0);
	print(name, "mean", mean > overhead * 100 ? mean - overhead * 100 : 0);
	print(name, "entries", entries * 100 / count);
	for (u32 i = 0; counted && i < KIND_COUNT; i++)
		if (done[i] != COUNTER_UNKNOWN)
			print(name, counter_names[i], done[i] * 100 / count);
}

void measure_print(const char *name, u64 count, u64 entries)
{
	print_all(name, count, entries, 0);
}

static __attribute__((noinline, noclone)) u32 run(const struct row *row, u32 rounds)
{
	u32 good = 0;

	for (u32 i = 0; i < rounds; i++) {
		u64 start;

		if (row->before)
			row->before();
		start = rdtsc();
		good += row->round();
		measure_sample(rdtsc() - start);
	}
	return good;
}

static bool nothing(void)
{
	return true;
}

/* The compiler must call it as it calls any other round. */
static bool (*volatile empty_round)(void) = nothing;

void measure(const struct row *row)
{
	static u64 overhead;
	u32 good;

	if (!overhead) {
		measure_begin();
		run(&(struct row){ "", NULL, empty_round, SAMPLES, 0, 0 }, SAMPLES);
		overhead = samples[used / 2];
	}
	run(row, row->warm_up);
	put_aside(row);
	measure_begin();
	good = run(row, row->rounds);
	measure_stop();
	take_off_aside();
	print_all(row->name, row->rounds, (u64)row->entries * row->rounds, overhead);
	if (good == row->rounds)
		say("all rounds good");
	else
		say("%u of %u rounds good", good, row->rounds);
}
