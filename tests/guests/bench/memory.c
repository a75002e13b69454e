/* SPDX-License-Identifier: MIT */
/*
 * L2's memory: violations that L1 answers, and misses that only L0 knows of. All of
 * EPT12's pages share a large page of memory, since what costs is the tables. One small page would not
 * do: KVM keeps no more than a thousand mappings of each. Nor a large page with tables in it: KVM maps it in small ones.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define TEST_ADDRESS (5ull << 30)
#define SIZE_2MB (2ull << 20)
#define TOUCHED (64ull << 20)
#define TOUCHED_PAGES (TOUCHED / PAGE_SIZE)
#define ALONE_PAGES 400
#define ALONE_STRIDE (64 * PAGE_SIZE)
#define BACKING_PAGES 512
#define GOOD "all rounds good"

static struct vm *vm;
static u64 backing;

static bool run_to(u32 reason)
{
	return vm_run(vm) && vm->basic_reason == reason;
}

static void create(const u8 *code)
{
	vm = bench_vm(code);
	backing = (u64)pages_alloc(BACKING_PAGES, SIZE_2MB);
}

/* The n-th page, or the large page that has all of them. */
static void map(u64 address, u64 n, u32 level)
{
	u64 to = level == 2 ? backing | EPT_LARGE : backing + n % BACKING_PAGES * PAGE_SIZE;

	*ept_entry(vm->ept, address, level) = to | EPT_RWX | EPT_MEMORY_TYPE_WB;
}

/* L2 touches a page that EPT12 does not map; L1 maps it and resumes. */
static bool violation_round(void)
{
	u64 address;

	if (vm_enter(vm, true) || vmread_unchecked(EXIT_REASON) != REASON_EPT_VIOLATION)
		return false;
	address = vmread_unchecked(GUEST_PHYSICAL_ADDRESS);
	map(address, address / PAGE_SIZE, 1);
	return true;
}

static void ept_violation(void)
{
	create(l2_touch_loop);
	map(TEST_ADDRESS, 0, 1);
	vm->gpr[RSI] = TEST_ADDRESS;
	if (!run_to(REASON_EPT_VIOLATION))
		scenario_abort(" (entry refused)");
	measure(&(struct row){ "l2_ept_violation", NULL, violation_round, SAMPLES, 50, 1 });
}

/* L2 reads a word of each of so many pages; ticks of the whole, from L1's entry to L2's VMCALL. */
static u64 sweep(u64 pages, u64 stride, bool *good)
{
	u64 start;

	vmwrite(GUEST_RIP, (u64)l2_sweep);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[RCX] = pages;
	vm->gpr[RDX] = stride;
	start = rdtsc();
	*good &= !vm_enter(vm, vm->launched) && vmread_unchecked(EXIT_REASON) == REASON_VMCALL;
	start = rdtsc() - start;
	vm->launched = true;
	return start;
}

static void say_good(bool good)
{
	say(good ? GOOD : "a sweep ended otherwise than by VMCALL");
}

/* Ticks for a miss, by the misses that L0 counts or, where it does not, by pages. */
static void misses(const char *name, u64 pages, u64 stride)
{
	u64 cold, warm, count = pages;
	bool good = true;

	for (u64 i = 0; i < pages; i++)
		map(TEST_ADDRESS + i * stride, i, 1);
	sweep(1, stride, &good);
	measure_begin();
	cold = sweep(pages, stride, &good);
	measure_stop();
	warm = sweep(pages, stride, &good);
	/* The entry and the VMCALL are exits too. */
	if (measure_exits() > 2)
		count = measure_exits() - 2;
	measure_sample(cold > warm ? (cold - warm) / count : 0);
	measure_print(name, count, 0);
	say_good(good);
}

/* Pages far from each other: what one miss costs. */
static void ept_miss(void)
{
	create(l2_sweep);
	misses("ept_miss", ALONE_PAGES, ALONE_STRIDE);
}

static void ept_miss_neighbours(void)
{
	create(l2_sweep);
	misses("ept_miss_neighbours", ALONE_PAGES, PAGE_SIZE);
}

static void one_sweep(const char *name, bool *good)
{
	measure_begin();
	measure_sample(sweep(TOUCHED_PAGES, PAGE_SIZE, good));
	measure_stop();
	measure_print(name, 1, 1);
}

static void invept_and_sweep(const char *name, bool *good)
{
	u64 start;

	measure_begin();
	start = rdtsc();
	invept(1, vm->ept | EPTP_WB | EPTP_4_LEVELS);
	start = rdtsc() - start;
	measure_sample(start + sweep(TOUCHED_PAGES, PAGE_SIZE, good));
	measure_stop();
	measure_print(name, 1, 1);
}

/* From nothing, again with all tables there, and after an INVEPT. */
static void touch(const char *const names[3], u32 level)
{
	u64 step = level == 2 ? SIZE_2MB : PAGE_SIZE;
	bool good = true;

	create(l2_sweep);
	for (u64 at = 0; at < TOUCHED; at += step)
		map(TEST_ADDRESS + at, at / step, level);
	/* The pages of the code and of L2's own tables. */
	sweep(1, 0, &good);
	vm_flush_all();
	one_sweep(names[0], &good);
	one_sweep(names[1], &good);
	invept_and_sweep(names[2], &good);
	say_good(good);
}

static void touch_4k(void)
{
	static const char *const names[] = { "touch_64mb_4k", "touch_64mb_4k_again", "touch_64mb_4k_after_invept" };

	touch(names, 1);
}

static void touch_2m(void)
{
	static const char *const names[] = { "touch_64mb_2m", "touch_64mb_2m_again", "touch_64mb_2m_after_invept" };

	touch(names, 2);
}

const struct scenario memory_rows[] = {
	{ "bench.l2_ept_violation", ept_violation, GOOD, NULL },
	{ "bench.ept_miss", ept_miss, GOOD, NULL },
	{ "bench.ept_miss_neighbours", ept_miss_neighbours, GOOD, NULL },
	{ "bench.touch_64mb_4k", touch_4k, GOOD, NULL },
	{ "bench.touch_64mb_2m", touch_2m, GOOD, NULL },
};
const u64 memory_row_count = ARRAY_SIZE(memory_rows);
