/* SPDX-License-Identifier: MIT */
/*
 * Building extended page tables. The file under test is compiled in here, with
 * its one way of writing to a linked table replaced: after every single store
 * all translations are compared with what they were and with what they shall be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/addr.h"

static void recorded_store(u64 *entry, u64 value);
#define __atomic_store_n(entry, value, order) recorded_store(entry, value)
#include "mm/ept.c"
#undef __atomic_store_n

#include "mm/page_alloc.h"
#include "tests/fake/phys.h"

#define WB ept_attributes(EPT_RWX, MEMORY_WB)
#define SAMPLES 64

static struct ept ept;
static unsigned int pages_left, pages_taken;

/* Addresses watched while tables change: what each translated to before, and shall afterwards. */
static struct {
	u64 gpa[SAMPLES], before[SAMPLES], after[SAMPLES];
	unsigned int count, stores;
	bool on;
} watch;

/* Address, permissions and type as one number; 0: not present. */
static u64 outcome(u64 gpa)
{
	struct ept_translation found = ept_lookup(&ept, gpa);

	if (!(found.value & EPT_RWX))
		return 0;
	return align_down(found.address.value, PAGE_SIZE) | found.permissions | (found.value & EPT_MEMORY_TYPE);
}

static void recorded_store(u64 *entry, u64 value)
{
	*(volatile u64 *)entry = value;
	watch.stores++;
	for (unsigned int i = 0; watch.on && i < watch.count; i++) {
		u64 now = outcome(watch.gpa[i]);

		assert_true(now == watch.before[i] || now == watch.after[i]);
	}
}

static void *take_page_for_test(void *context)
{
	(void)context;
	if (pages_left == 0)
		return NULL;
	pages_left--;
	pages_taken++;
	return page_alloc();
}

static int begin(void **state)
{
	(void)state;
	fake_memory_reset();
	watch.on = false;
	watch.count = 0;
	pages_left = 1000;
	pages_taken = 0;
	ept = (struct ept){ .root = page_alloc(), .levels = 4, .has_2m = true, .has_1g = true,
			    .take_page = take_page_for_test };
	return 0;
}

/* Watches an address that shall lead to `after` (as of outcome()) in the end. */
static void watch_for(u64 gpa, u64 after)
{
	watch.gpa[watch.count] = gpa;
	watch.before[watch.count] = outcome(gpa);
	watch.after[watch.count++] = after;
}

static void watch_begin(void)
{
	watch.stores = 0;
	watch.on = true;
}

static void watch_end(void)
{
	watch.on = false;
	assert_true(watch.stores > 0);
	for (unsigned int i = 0; i < watch.count; i++)
		assert_int_equal(outcome(watch.gpa[i]), watch.after[i]);
}

static void identity_uses_the_largest_pages(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), BIT(40), WB));
	assert_int_equal(pages_taken, 2);	/* two tables of 512 GB */
	assert_int_equal(ept_lookup(&ept, 0x123456789a).size, SIZE_1G);
	assert_int_equal(ept_lookup(&ept, 0x123456789a).address.value, 0x123456789a);
	assert_int_equal(ept_lookup(&ept, BIT(40)).value, 0);
}

static void pages_are_as_large_as_alignment_and_processor_allow(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, SIZE_1G - SIZE_2M - PAGE_SIZE, hpa(3 * SIZE_1G - SIZE_2M - PAGE_SIZE),
			    SIZE_1G + SIZE_2M + 2 * PAGE_SIZE, WB));
	assert_int_equal(ept_lookup(&ept, SIZE_1G - SIZE_2M - PAGE_SIZE).size, PAGE_SIZE);
	assert_int_equal(ept_lookup(&ept, SIZE_1G - SIZE_2M).size, SIZE_2M);
	assert_int_equal(ept_lookup(&ept, SIZE_1G).size, SIZE_1G);
	assert_int_equal(ept_lookup(&ept, 2 * SIZE_1G).size, PAGE_SIZE);
	assert_int_equal(ept_lookup(&ept, 2 * SIZE_1G + PAGE_SIZE).value, 0);
	assert_int_equal(ept_lookup(&ept, SIZE_1G + 5).address.value, 3 * SIZE_1G + 5);
	begin(state);
	ept.has_1g = false;
	assert_true(ept_map(&ept, 0, hpa(SIZE_1G), SIZE_1G, WB));
	assert_int_equal(ept_lookup(&ept, 0).size, SIZE_2M);
	begin(state);
	ept.has_1g = ept.has_2m = false;
	assert_true(ept_map(&ept, 0, hpa(SIZE_1G), SIZE_2M, WB));
	assert_int_equal(ept_lookup(&ept, 0).size, PAGE_SIZE);
	assert_int_equal(ept_lookup(&ept, 0).value, SIZE_1G | WB);
}

static void leaves_have_the_large_bit_only_above_level_1(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), SIZE_1G, WB));
	assert_int_equal(ept_lookup(&ept, 0).value, WB | EPT_LARGE);
	assert_true(ept_split(&ept, 0, SIZE_2M));
	assert_int_equal(ept_lookup(&ept, SIZE_2M).value, SIZE_2M | WB | EPT_LARGE);
	assert_true(ept_split(&ept, SIZE_2M, PAGE_SIZE));
	assert_int_equal(ept_lookup(&ept, SIZE_2M + PAGE_SIZE).value, (SIZE_2M + PAGE_SIZE) | WB);
}

static void splitting_changes_no_translation_at_any_moment(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(4 * SIZE_1G), 2 * SIZE_1G, WB));
	for (unsigned int i = 0; i < SAMPLES; i++) {
		u64 gpa = i * 0x2345000 % (2 * SIZE_1G);

		watch_for(gpa, outcome(gpa));
	}
	watch_begin();
	assert_true(ept_split(&ept, 0x2345000, PAGE_SIZE));
	assert_int_equal(watch.stores, 2);
	watch_end();
	assert_int_equal(ept_lookup(&ept, 0x2345000).size, PAGE_SIZE);
	assert_int_equal(ept_lookup(&ept, SIZE_1G).size, SIZE_1G);
}

static void splitting_what_is_small_or_absent_does_nothing(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), PAGE_SIZE, WB));
	pages_left = 0;
	assert_true(ept_split(&ept, 0, PAGE_SIZE));
	assert_true(ept_split(&ept, BIT(40), PAGE_SIZE));
}

static void mapping_within_a_large_page_keeps_its_rest(void **state)
{
	u64 there = SIZE_1G + 3 * SIZE_2M + 7 * PAGE_SIZE;

	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), 2 * SIZE_1G, WB));
	watch_for(there, 0x5000 | EPT_READ | (u64)MEMORY_UC << 3);
	watch_for(there - PAGE_SIZE, (there - PAGE_SIZE) | WB);
	watch_for(there + PAGE_SIZE, (there + PAGE_SIZE) | WB);
	watch_for(SIZE_1G, SIZE_1G | WB);
	watch_for(2 * SIZE_1G - PAGE_SIZE, (2 * SIZE_1G - PAGE_SIZE) | WB);
	watch_begin();
	assert_true(ept_map(&ept, there, hpa(0x5000), PAGE_SIZE, ept_attributes(EPT_READ, MEMORY_UC)));
	watch_end();
}

static void mapping_over_tables_fills_them(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0x7000), PAGE_SIZE, WB));
	watch_for(0, SIZE_1G | WB);
	watch_for(5 * PAGE_SIZE, (SIZE_1G + 5 * PAGE_SIZE) | WB);
	watch_for(SIZE_2M, (SIZE_1G + SIZE_2M) | WB);
	watch_begin();
	assert_true(ept_map(&ept, 0, hpa(SIZE_1G), SIZE_1G, WB));
	watch_end();
	assert_int_equal(pages_taken, 3);
	assert_int_equal(ept_lookup(&ept, 0).size, PAGE_SIZE);
	assert_int_equal(ept_lookup(&ept, SIZE_2M).size, SIZE_2M);
}

static void unmapping_clears_one_leaf(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), 2 * SIZE_2M, WB));
	assert_true(ept_unmap(&ept, SIZE_2M + 5));
	assert_int_equal(outcome(SIZE_2M), 0);
	assert_int_equal(outcome(0), WB);
	assert_false(ept_unmap(&ept, SIZE_2M));
	assert_false(ept_unmap(&ept, BIT(50)));
}

static void a_memory_type_covers_its_range_and_nothing_else(void **state)
{
	u64 from = 0xa0000, to = 0xc0000, uc = EPT_RWX | (u64)MEMORY_UC << 3;

	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), 4 * SIZE_1G, WB));
	pages_taken = 0;
	watch_for(from - PAGE_SIZE, (from - PAGE_SIZE) | WB);
	watch_for(from, from | uc);
	watch_for(to - PAGE_SIZE, (to - PAGE_SIZE) | uc);
	watch_for(to, to | WB);
	watch_for(SIZE_2M, SIZE_2M | WB);
	watch_begin();
	assert_true(ept_set_memory_type(&ept, from, to - from, MEMORY_UC));
	watch_end();
	assert_int_equal(pages_taken, 2);
	/* Expect: whole pages are retyped without a split. */
	pages_left = 0;
	assert_true(ept_set_memory_type(&ept, 3 * SIZE_1G, SIZE_1G, MEMORY_UC));
	assert_int_equal(ept_lookup(&ept, 3 * SIZE_1G).size, SIZE_1G);
	assert_int_equal(outcome(3 * SIZE_1G), 3 * SIZE_1G | uc);
	/* Expect: a type that is there already needs no page. */
	assert_true(ept_set_memory_type(&ept, SIZE_1G + PAGE_SIZE, PAGE_SIZE, MEMORY_WB));
}

static void one_range_takes_no_more_pages_than_it_says(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), 4 * SIZE_1G, WB));
	pages_taken = 0;
	assert_true(ept_set_memory_type(&ept, SIZE_1G / 2 + PAGE_SIZE, 2 * SIZE_1G, MEMORY_UC));
	assert_int_equal(pages_taken, EPT_PAGES_PER_RETYPE);
}

static void a_memory_type_beyond_the_reach_is_no_error(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, BIT(48) - SIZE_1G, hpa(0), SIZE_1G, WB));
	assert_true(ept_set_memory_type(&ept, BIT(48) - SIZE_1G, BIT(50), MEMORY_UC));
	assert_int_equal(outcome(BIT(48) - SIZE_1G), EPT_RWX);
}

static u64 *scratch_table(u64 scratch)
{
	u64 *table = page_alloc();

	for (unsigned int i = 0; i < EPT_TABLE_ENTRIES; i++)
		table[i] = scratch | WB;
	return table;
}

static void one_table_serves_many_regions(void **state)
{
	u64 *table = scratch_table(0x3000);

	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), SIZE_1G, WB));
	pages_taken = 0;
	watch_for(4 * SIZE_2M - PAGE_SIZE, (4 * SIZE_2M - PAGE_SIZE) | WB);
	watch_for(4 * SIZE_2M, 0x3000 | WB);
	watch_for(6 * SIZE_2M - PAGE_SIZE, 0x3000 | WB);
	watch_for(6 * SIZE_2M, 6 * SIZE_2M | WB);
	watch_begin();
	assert_true(ept_link_table(&ept, 4 * SIZE_2M, table));
	assert_true(ept_link_table(&ept, 5 * SIZE_2M, table));
	watch_end();
	assert_int_equal(pages_taken, 1);
	assert_true(ept_lookup(&ept, 4 * SIZE_2M).shared);
	assert_false(ept_lookup(&ept, 3 * SIZE_2M).shared);
}

static void a_shared_table_is_never_written(void **state)
{
	u64 *table = scratch_table(0x3000);

	(void)state;
	assert_true(ept_link_table(&ept, 0, table));
	assert_true(ept_link_table(&ept, SIZE_2M, table));
	assert_true(ept_set_memory_type(&ept, 0, SIZE_1G, MEMORY_UC));
	assert_false(ept_unmap(&ept, 0));
	/* Mapping into one region copies the table; the other keeps the shared one. */
	watch_for(0, 0x3000 | WB);
	watch_for(PAGE_SIZE, 0x9000 | WB);
	watch_for(SIZE_2M + PAGE_SIZE, 0x3000 | WB);
	watch_begin();
	assert_true(ept_map(&ept, PAGE_SIZE, hpa(0x9000), PAGE_SIZE, WB));
	watch_end();
	assert_true(ept_map(&ept, SIZE_2M, hpa(SIZE_2M), SIZE_2M, WB));
	assert_int_equal(ept_lookup(&ept, SIZE_2M).size, SIZE_2M);
	for (unsigned int i = 0; i < EPT_TABLE_ENTRIES; i++)
		assert_int_equal(table[i], 0x3000 | WB);
}

static void without_pages_the_answer_is_no_and_the_tables_stay_valid(void **state)
{
	(void)state;
	assert_true(ept_map(&ept, 0, hpa(0), SIZE_1G, WB));
	for (unsigned int pages = 0; pages < 2; pages++) {
		pages_left = pages;
		watch.count = 0;
		watch_for(0x1000, 0x1000 | WB);
		watch_for(SIZE_2M, SIZE_2M | WB);
		watch.on = true;
		assert_false(ept_map(&ept, SIZE_1G + 0x1000, hpa(0), PAGE_SIZE, WB) && ept_split(&ept, 0, PAGE_SIZE));
		watch.on = false;
		assert_int_equal(outcome(0x1000), 0x1000 | WB);
		assert_int_equal(outcome(SIZE_1G + 0x1000), 0);
	}
	assert_false(ept_map(&ept, BIT(48), hpa(0), PAGE_SIZE, WB));
}

static void the_pointer_says_type_levels_and_flags(void **state)
{
	u64 root = phys_of(ept.root).value;

	(void)state;
	assert_int_equal(ept_pointer(&ept, MEMORY_WB, false), root | 6 | 3 << 3);
	ept.levels = 5;
	assert_int_equal(ept_pointer(&ept, MEMORY_UC, true), root | 4 << 3 | BIT(6));
}

static void misconfigurations_are_those_of_the_sdm(void **state)
{
	const struct ept_rules all = { true, true, true, 46, false }, plain = { false, false, false, 52, false };
	static const struct {
		u64 entry;
		u8 level;
		bool bad, bad_on_plain;
	} cases[] = {
		{ 0, 1, false, false },
		{ ~UINT64_C(7), 4, false, false },		/* not present: nothing else counts */
		{ EPT_WRITE, 4, true, true },
		{ EPT_WRITE | EPT_EXECUTE, 1, true, true },
		{ EPT_EXECUTE, 1, false, true },
		{ EPT_READ, 1, false, false },
		{ EPT_RWX | BIT(46), 1, true, false },
		{ EPT_RWX | BIT(51), 4, true, false },
		{ EPT_RWX | BITS(63, 52), 1, false, false },	/* ignored bits */
		{ EPT_RWX | BITS(11, 8), 1, false, false },
		{ EPT_RWX | BITS(11, 8), 4, false, false },
		{ EPT_RWX | BIT(3), 5, true, true },
		{ EPT_RWX | BIT(7), 5, true, true },
		{ EPT_RWX | BIT(3), 4, true, true },
		{ EPT_RWX | BIT(7), 4, true, true },
		{ EPT_RWX | BIT(6), 3, true, true },
		{ EPT_RWX | BIT(3), 2, true, true },
		{ EPT_RWX | EPT_LARGE, 3, false, true },
		{ EPT_RWX | EPT_LARGE, 2, false, true },
		{ EPT_RWX | EPT_LARGE | BIT(29), 3, true, true },
		{ EPT_RWX | EPT_LARGE | BIT(30), 3, false, true },
		{ EPT_RWX | EPT_LARGE | BIT(12), 2, true, true },
		{ EPT_RWX | EPT_LARGE | BIT(20), 2, true, true },
		{ EPT_RWX | EPT_LARGE | BIT(21), 2, false, true },
		{ EPT_RWX | BIT(7), 1, false, false },		/* ignored in a page-table entry */
		{ EPT_RWX | EPT_IGNORE_PAT, 1, false, false },
		{ EPT_RWX | 1 << 3, 1, false, false },
		{ EPT_RWX | 2 << 3, 1, true, true },
		{ EPT_RWX | 3 << 3, 1, true, true },
		{ EPT_RWX | 4 << 3, 1, false, false },
		{ EPT_RWX | 5 << 3, 1, false, false },
		{ EPT_RWX | 7 << 3, 1, true, true },
		{ EPT_RWX | EPT_LARGE | 7 << 3, 2, true, true },
	};

	(void)state;
	for (unsigned int i = 0; i < array_size(cases); i++) {
		assert_int_equal(ept_is_misconfigured(cases[i].entry, cases[i].level, &all), cases[i].bad);
		assert_int_equal(ept_is_misconfigured(cases[i].entry, cases[i].level, &plain), cases[i].bad_on_plain);
	}
}

/* Expect: bit 10 makes an entry present, and needs what the other execute permission needs. */
static void with_mode_based_execute_control_bit_10_is_a_permission(void **state)
{
	const struct ept_rules modes = { true, true, true, 46, true }, plain = { false, false, false, 52, true };
	static const struct {
		u64 entry;
		bool bad, bad_on_plain;
	} cases[] = {
		{ 0, false, false },
		{ BIT(3), false, false },			/* still not present */
		{ EPT_USER_EXECUTE, false, true },
		{ EPT_USER_EXECUTE | EPT_EXECUTE, false, true },
		{ EPT_EXECUTE, false, true },
		{ EPT_USER_EXECUTE | EPT_READ, false, false },
		{ EPT_USER_EXECUTE | EPT_WRITE, true, true },
		{ EPT_USER_EXECUTE | 2 << 3, true, true },
		{ EPT_USER_EXECUTE | EPT_READ | BIT(46), true, false },
	};

	(void)state;
	for (unsigned int i = 0; i < array_size(cases); i++) {
		assert_int_equal(ept_is_misconfigured(cases[i].entry, 1, &modes), cases[i].bad);
		assert_int_equal(ept_is_misconfigured(cases[i].entry, 1, &plain), cases[i].bad_on_plain);
	}
	assert_int_equal(ept_permissions(&modes), BITS(2, 0) | BIT(10));
}

/* Random maps, splits and retypes against an array that says what each page is. */
static void any_sequence_of_changes_agrees_with_a_plain_array(void **state)
{
	enum { REGION_PAGES = 1024 + 40 };	/* two 2 MB regions and a bit */
	static u64 plain[REGION_PAGES];
	u64 random = 88172645463325252;

	begin(state);
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		plain[i] = 0;
	for (unsigned int step = 0; step < 600; step++) {
		enum memory_type type;
		u64 from, count, to;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		from = random >> 8 & 1023;
		count = 1 + (random >> 20) % (random & 1 ? REGION_PAGES - from : 24);
		if (count > REGION_PAGES - from)
			count = REGION_PAGES - from;
		to = (from + (random >> 40 & 3) * 512) * PAGE_SIZE;
		type = (random & 2) ? MEMORY_WB : MEMORY_UC;
		if (random >> 50 & 1)
			assert_true(ept_map(&ept, from * PAGE_SIZE, hpa(to), count * PAGE_SIZE, ept_attributes(EPT_RWX, type)));
		else
			assert_true(ept_set_memory_type(&ept, from * PAGE_SIZE, count * PAGE_SIZE, type));
		for (u64 i = from; i < from + count; i++) {
			if (random >> 50 & 1)
				plain[i] = (to + (i - from) * PAGE_SIZE) | ept_attributes(EPT_RWX, type);
			else if (plain[i])
				plain[i] = (plain[i] & ~EPT_MEMORY_TYPE) | field_put((u64)type, EPT_MEMORY_TYPE);
		}
		for (u64 i = 0; i < REGION_PAGES; i++)
			assert_int_equal(outcome(i * PAGE_SIZE), plain[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_uses_the_largest_pages),
		TEST(pages_are_as_large_as_alignment_and_processor_allow),
		TEST(leaves_have_the_large_bit_only_above_level_1),
		TEST(splitting_changes_no_translation_at_any_moment),
		TEST(splitting_what_is_small_or_absent_does_nothing),
		TEST(mapping_within_a_large_page_keeps_its_rest),
		TEST(mapping_over_tables_fills_them),
		TEST(unmapping_clears_one_leaf),
		TEST(a_memory_type_covers_its_range_and_nothing_else),
		TEST(one_range_takes_no_more_pages_than_it_says),
		TEST(a_memory_type_beyond_the_reach_is_no_error),
		TEST(one_table_serves_many_regions),
		TEST(a_shared_table_is_never_written),
		TEST(without_pages_the_answer_is_no_and_the_tables_stay_valid),
		TEST(the_pointer_says_type_levels_and_flags),
		TEST(misconfigurations_are_those_of_the_sdm),
		TEST(with_mode_based_execute_control_bit_10_is_a_permission),
		TEST(any_sequence_of_changes_agrees_with_a_plain_array),
	};

	return cmocka_run_group_tests_name("ept", tests, NULL, NULL);
}
