/* SPDX-License-Identifier: MIT */
/*
 * EPT01's memory types: after any change they are the MTRRs', and several
 * processors that change theirs as the SDM has it end with the same types in the
 * tables and in whatever each has cached. A walk at any moment finds the old type
 * or the new one, never anything else: threads try.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "mm/ept_types.h"
#include "mm/page_alloc.h"
#include "tests/fake/phys.h"

#define WIDTH 36
#define LIMIT (UINT64_C(16) << 30)
#define RANGES 4
#define MB(n) ((u64)(n) << 20)

static struct ept ept;
static struct ept_types types;
static u32 pages_left;

static void *take_page_for_test(void *context)
{
	(void)context;
	return pages_left > 0 ? (pages_left--, page_alloc()) : NULL;
}

static struct mtrr_state plain(u8 default_type)
{
	return (struct mtrr_state){
		.cap = RANGES | MTRRCAP_FIX, .def_type = MTRR_DEF_TYPE_ENABLE | default_type, .physical_address_bits = WIDTH
	};
}

static int begin(void **state)
{
	(void)state;
	fake_memory_reset();
	srand(7);
	pages_left = 4000;
	ept = (struct ept){ .root = page_alloc(), .levels = 4, .has_2m = true, .has_1g = true, .take_page = take_page_for_test };
	types = (struct ept_types){ .ept = &ept, .mtrrs = plain(MEMORY_WB), .limit = LIMIT };
	assert_true(ept_types_map(&types, 0, LIMIT));
	return 0;
}

static u8 good_type(void)
{
	static const u8 all[] = { MEMORY_UC, MEMORY_WC, MEMORY_WT, MEMORY_WP, MEMORY_WB };

	return all[(size_t)rand() % sizeof(all)];
}

static u64 random_address(void)
{
	u64 within = ((u64)rand() << 12) % LIMIT;

	return rand() % 4 == 0 ? within % MB(2) : within;
}

/* Ranges from 4 KB to 1 GB, and fixed types that differ from page to page. */
static struct mtrr_state random_mtrrs(void)
{
	struct mtrr_state state = plain(good_type());

	for (u32 i = 0; i < RANGES; i++) {
		u64 size = PAGE_SIZE << (rand() % 19);

		state.variable[i].base = align_down(random_address(), size) | good_type();
		state.variable[i].mask = (~(size - 1) & (BIT(WIDTH) - 1)) | (rand() % 4 ? MTRR_PHYSMASK_VALID : 0);
	}
	if (rand() % 2)
		state.def_type |= MTRR_DEF_TYPE_FIXED_ENABLE;
	for (u32 i = 0; i < MTRR_FIXED_COUNT * 8; i++)
		state.fixed[i / 8] |= (u64)good_type() << 8 * (i % 8);
	return state;
}

static u8 type_in_tables(u64 address)
{
	struct ept_translation found = ept_lookup(&ept, address);

	assert_int_equal(found.address.value, address);
	assert_int_equal(found.permissions & EPT_RWX, EPT_RWX);
	return (u8)field_get(found.value, EPT_MEMORY_TYPE);
}

static u8 type_by_mtrrs(const struct mtrr_state *mtrrs, u64 address)
{
	u64 end;

	return mtrr_type_at(mtrrs, address, &end);
}

/* Where it matters most: the first megabyte, and around every range's ends. */
static void assert_tables_are_as(const struct mtrr_state *mtrrs)
{
	for (u64 at = 0; at < MB(2); at += PAGE_SIZE)
		assert_int_equal(type_in_tables(at), type_by_mtrrs(mtrrs, at));
	for (u32 i = 0; i < RANGES; i++) {
		u64 base = mtrrs->variable[i].base & ~PAGE_MASK, mask = mtrrs->variable[i].mask & ~PAGE_MASK;
		u64 last = base + (mask & -mask) - PAGE_SIZE;

		for (u64 at = base < MB(1) ? 0 : base - MB(1); at < base + MB(1) && at < LIMIT; at += PAGE_SIZE * 3)
			assert_int_equal(type_in_tables(at), type_by_mtrrs(mtrrs, at));
		for (u64 at = last - PAGE_SIZE; at <= last + PAGE_SIZE && at < LIMIT; at += PAGE_SIZE)
			assert_int_equal(type_in_tables(at), type_by_mtrrs(mtrrs, at));
	}
	for (int i = 0; i < 200; i++) {
		u64 at = random_address();

		assert_int_equal(type_in_tables(at), type_by_mtrrs(mtrrs, at));
	}
}

static void memory_has_the_types_of_the_mtrrs_after_each_change(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct mtrr_state now = random_mtrrs();

		assert_true(ept_types_follow(&types, &now));
		assert_tables_are_as(&now);
	}
}

static void while_they_are_disabled_nothing_changes(void **state)
{
	struct mtrr_state first = random_mtrrs(), second = random_mtrrs();

	(void)state;
	assert_true(ept_types_follow(&types, &first));
	second.def_type &= ~MTRR_DEF_TYPE_ENABLE;
	assert_true(ept_types_follow(&types, &second));
	assert_tables_are_as(&first);
}

/* Expect: the address of the first difference; none between states that differ only in words. */
static void differences_are_found_by_type(void **state)
{
	struct mtrr_state other = plain(MEMORY_WB);
	u64 where = 0;

	(void)state;
	assert_false(ept_types_differ(&types, &other, &where));
	other.variable[2].base = MB(64) | MEMORY_WB;
	other.variable[2].mask = (~(MB(1) - 1) & (BIT(WIDTH) - 1)) | MTRR_PHYSMASK_VALID;
	assert_false(ept_types_differ(&types, &other, &where));
	other.variable[2].base = MB(64) | MEMORY_WC;
	assert_true(ept_types_differ(&types, &other, &where));
	assert_int_equal(where, MB(64));
}

/* Expect: the answer is no; and when pages are there again, the same MTRRs put everything right. */
static void what_a_lack_of_pages_left_undone_is_done_by_the_next_change(void **state)
{
	struct mtrr_state first = random_mtrrs();

	(void)state;
	first.variable[0].base = MB(100) + PAGE_SIZE * 5 + MEMORY_UC;
	first.variable[0].mask = (~(PAGE_SIZE - 1) & (BIT(WIDTH) - 1)) | MTRR_PHYSMASK_VALID;
	pages_left = 1;
	assert_false(ept_types_follow(&types, &first));
	pages_left = 4000;
	assert_true(ept_types_follow(&types, &first));
	assert_tables_are_as(&first);
}

/* --- several processors ----------------------------------------------------- */

#define CPUS 4
#define CACHED 64
#define STEPS (RANGES * 2 + MTRR_FIXED_COUNT + 2)

/* A processor of L1 that changes its MTRRs, with what it has cached of EPT01. */
struct processor {
	struct mtrr_state mtrrs;
	u32 step;
	struct {
		u64 address;
		u8 type;
		bool valid;
	} cached[CACHED];
};

static void cache_something(struct processor *cpu)
{
	u32 i = (u32)rand() % CACHED;

	cpu->cached[i].address = random_address();
	cpu->cached[i].type = type_in_tables(cpu->cached[i].address);
	cpu->cached[i].valid = true;
}

/* What ept01_mtrrs_changed() does at each of its writes. */
static void write_exits(struct processor *cpu)
{
	assert_true(ept_types_follow(&types, &cpu->mtrrs));
	for (u32 i = 0; i < CACHED; i++)
		cpu->cached[i].valid = false;
}

/* SDM "MTRR Considerations in MP Systems": disable, write all, enable; a write at a time. */
static void next_write(struct processor *cpu, const struct mtrr_state *wanted)
{
	u32 at = cpu->step++;

	if (at == 0)
		cpu->mtrrs.def_type &= ~MTRR_DEF_TYPE_ENABLE;
	else if (at <= RANGES * 2 && at % 2)
		cpu->mtrrs.variable[(at - 1) / 2].base = wanted->variable[(at - 1) / 2].base;
	else if (at <= RANGES * 2)
		cpu->mtrrs.variable[(at - 1) / 2].mask = wanted->variable[(at - 1) / 2].mask;
	else if (at < STEPS - 1)
		cpu->mtrrs.fixed[at - RANGES * 2 - 1] = wanted->fixed[at - RANGES * 2 - 1];
	else
		cpu->mtrrs.def_type = wanted->def_type;
	write_exits(cpu);
}

static void change_all(struct processor *cpus, const struct mtrr_state *wanted)
{
	u32 left = CPUS;

	for (u32 i = 0; i < CPUS; i++)
		cpus[i].step = 0;
	while (left > 0) {
		struct processor *cpu = &cpus[rand() % CPUS];

		cache_something(&cpus[rand() % CPUS]);
		if (cpu->step == STEPS)
			continue;
		next_write(cpu, wanted);
		left -= cpu->step == STEPS;
	}
}

static void processors_that_change_alike_agree_whatever_their_order(void **state)
{
	static struct processor cpus[CPUS];

	(void)state;
	for (u32 i = 0; i < CPUS; i++)
		cpus[i] = (struct processor){ .mtrrs = types.mtrrs };
	for (int round = 0; round < 30; round++) {
		struct mtrr_state wanted = random_mtrrs();

		change_all(cpus, &wanted);
		assert_tables_are_as(&wanted);
		for (u32 i = 0; i < CPUS; i++)
			for (u32 entry = 0; entry < CACHED; entry++)
				if (cpus[i].cached[entry].valid)
					assert_int_equal(cpus[i].cached[entry].type,
							 type_by_mtrrs(&wanted, cpus[i].cached[entry].address));
	}
}

/* Expect: the last to write decides, for the tables and for itself. */
static void of_processors_that_differ_the_last_decides(void **state)
{
	struct mtrr_state first = random_mtrrs(), last = random_mtrrs();

	(void)state;
	assert_true(ept_types_follow(&types, &first));
	assert_true(ept_types_follow(&types, &last));
	assert_tables_are_as(&last);
}

/* --- readers at the same time ------------------------------------------------- */

static bool over;
static u32 walking;
static struct mtrr_state both[2];

/* In the first megabytes, where there is most to split, or further up. */
static u64 address_for_reader(unsigned int *seed)
{
	u64 at = (u64)(unsigned int)rand_r(seed) << 12;

	return at % (*seed & 1 ? MB(1024) : MB(4));
}

/* What hardware would see: counts walks that find neither of the two types at an address. */
static void *walk_all_the_time(void *bad)
{
	unsigned int seed = 1;

	__atomic_add_fetch(&walking, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		u64 at = address_for_reader(&seed);
		struct ept_translation found = ept_lookup(&ept, at);
		u8 type = (u8)field_get(found.value, EPT_MEMORY_TYPE);

		*(u64 *)bad += found.address.value != at || (found.permissions & EPT_RWX) != EPT_RWX ||
			       (type != type_by_mtrrs(&both[0], at) && type != type_by_mtrrs(&both[1], at));
	}
	return NULL;
}

/* From large pages each time: every table is made, filled and linked before their eyes. */
static void a_walk_meanwhile_finds_the_old_type_or_the_new(void **state)
{
	pthread_t readers[2];
	u64 bad[2] = { 0, 0 };

	for (unsigned int round = 0; round < 150; round++) {
		begin(state);
		srand(round);
		both[0] = types.mtrrs;
		both[1] = random_mtrrs();
		both[1].def_type |= MTRR_DEF_TYPE_FIXED_ENABLE;
		__atomic_store_n(&over, false, __ATOMIC_RELEASE);
		walking = 0;
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&readers[i], NULL, walk_all_the_time, &bad[i]), 0);
		while (__atomic_load_n(&walking, __ATOMIC_SEQ_CST) < 2)
			sched_yield();
		for (int i = 0; i < 6; i++)
			assert_true(ept_types_follow(&types, &both[(i + 1) % 2]));
		__atomic_store_n(&over, true, __ATOMIC_RELEASE);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_join(readers[i], NULL), 0);
		assert_int_equal(bad[0] + bad[1], 0);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_has_the_types_of_the_mtrrs_after_each_change),
		TEST(while_they_are_disabled_nothing_changes),
		TEST(differences_are_found_by_type),
		TEST(what_a_lack_of_pages_left_undone_is_done_by_the_next_change),
		TEST(processors_that_change_alike_agree_whatever_their_order),
		TEST(of_processors_that_differ_the_last_decides),
		TEST(a_walk_meanwhile_finds_the_old_type_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
