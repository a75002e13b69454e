/* SPDX-License-Identifier: MIT */
/*
 * EPT02: what comes besides the page that was asked for. Neighbours of a miss, pages filled ahead, and tables that INVEPT
 * has parked and a miss brings home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ept02_hands.h"

#define LEAF(n) ((0x400000 + (n) * PAGE_SIZE) | EPT_RWX | WB)
#define LARGE(n) ((0x400000 + (n) * SIZE_2M) | EPT_RWX | WB | EPT_LARGE)

static void put_leaves(u64 flags)
{
	for (u64 i = 0; i < 512; i++)
		put(PT + i * 8, LEAF(i) | flags);
}

static enum ept02_outcome read_as(u64 eptp12, u64 address)
{
	return touch_as(eptp12, address, EPT_ACCESS_READ | LINEAR).outcome;
}

/* How many of L2's first 512 pages of this size hardware finds. */
static unsigned int found(u64 eptp12, u64 size)
{
	unsigned int count = 0;

	for (u64 i = 0; i < 512; i++)
		count += seen_by(eptp12, i * size).value != 0;
	return count;
}

static void a_miss_brings_its_group(void **state)
{
	(void)state;
	put_leaves(0);
	assert_int_equal(read_as(EPTP, 0x13000), EPT02_FILLED);
	assert_int_equal(found(EPTP, PAGE_SIZE), 16);
	assert_int_equal(seen(0xf000).value, 0);
	for (u64 i = 16; i < 32; i++)
		assert_int_equal(seen(i * PAGE_SIZE).value, LEAF(i));
	assert_int_equal(seen(0x20000).value, 0);
	assert_int_equal(world.ept02.fills, 1);
}

static void a_miss_brings_its_group_of_large_pages(void **state)
{
	(void)state;
	for (u64 i = 0; i < 512; i++)
		put(PD + i * 8, LARGE(i));
	assert_int_equal(read_as(EPTP, 3 * SIZE_2M), EPT02_FILLED);
	assert_int_equal(found(EPTP, SIZE_2M), 16);
	for (u64 i = 0; i < 16; i++)
		assert_int_equal(seen(i * SIZE_2M).value, LARGE(i));
}

static void neighbours_never_lead_into_the_hidden_block(void **state)
{
	(void)state;
	for (u64 i = 0; i < 512; i++) {
		put(PT + i * 8, (FAKE_BLOCK_BASE - 0x8000 + i * PAGE_SIZE) | EPT_RWX | WB);
		put(PD + 8 + i % 511 * 8, (FAKE_BLOCK_BASE - 8 * SIZE_2M + i * SIZE_2M) | EPT_RWX | WB | EPT_LARGE);
	}
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	assert_int_equal(seen(0x7000).address.value, FAKE_BLOCK_BASE - 0x1000);
	for (u64 i = 8; i < 16; i++)
		assert_int_equal(seen(i * PAGE_SIZE).address.value, world.memory.scratch.value);
	/* Those of the group that reach into the block are not filled as large pages. */
	assert_int_equal(read_as(EPTP, SIZE_2M), EPT02_FILLED);
	assert_int_equal(seen(8 * SIZE_2M).size, SIZE_2M);
	assert_int_equal(seen(9 * SIZE_2M).value, 0);
}

/* Expect: so it is when the way to the page table is known already, and where some lie before the block and some behind it. */
static void groups_after_the_first_never_lead_into_the_hidden_block(void **state)
{
	(void)state;
	put_leaves(0);
	put(PT + 0x25 * 8, (FAKE_BLOCK_BASE + 0x5000) | EPT_RWX | WB);
	put(PT + 0x35 * 8, (FAKE_BLOCK_BASE + 0x5000) | EPT_RWX | WB);
	put(PT + 0x36 * 8, (FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE) | EPT_RWX | WB);
	for (u64 i = 0x40; i < 0x50; i++)
		put(PT + i * 8, (FAKE_BLOCK_BASE - PAGE_SIZE + i % 2 * (FAKE_BLOCK_SIZE + PAGE_SIZE)) | EPT_RWX | WB);
	for (u64 i = 0x50; i < 0x60; i++)
		put(PT + i * 8, (FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE + (i - 0x50) * PAGE_SIZE) | EPT_RWX | WB);
	for (u64 group = 0x10; group < 0x60; group += 0x10)
		assert_int_equal(read_as(EPTP, group * PAGE_SIZE), EPT02_FILLED);
	assert_int_equal(found(EPTP, PAGE_SIZE), 0x50);
	assert_int_equal(seen(0x25000).address.value, world.memory.scratch.value);
	assert_int_equal(seen(0x35000).address.value, world.memory.scratch.value);
	for (u64 i = 0x10; i < 0x60; i++)
		if (i != 0x25 && i != 0x35)
			assert_int_equal(seen(i * PAGE_SIZE).value, get(PT + i * 8));
}

/* Expect: neither what comes with a group nor the page itself allows more than EPT12 does, and a violation forgets the page. */
static void a_group_brings_no_access_that_ept12_forbids(void **state)
{
	(void)state;
	put_leaves(0);
	put(PT + 0x23 * 8, LEAF(0x23) & ~EPT_WRITE);
	assert_int_equal(read_as(EPTP, 0x10000), EPT02_FILLED);
	assert_int_equal(touch_as(EPTP, 0x23000, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
	assert_int_equal(seen(0x23000).value, 0);
	assert_int_equal(read_as(EPTP, 0x23000), EPT02_FILLED);
	assert_int_equal(seen(0x23000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(seen(0x22000).permissions, EPT_RWX);
}

/* SDM "Accessed and Dirty Flags for EPT": a flag says that something was used. */
static void a_neighbour_that_was_not_used_gets_no_flag_and_is_not_filled(void **state)
{
	(void)state;
	put_leaves(0);
	put(PT + 8, LEAF(1) | EPT_ACCESSED);
	put(PT + 16, LEAF(2) | EPT_ACCESSED | EPT_DIRTY);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(get(PT + 24), LEAF(3));
	assert_int_equal(get(PT + 8), LEAF(1) | EPT_ACCESSED);
	assert_int_equal(found(EPTP_FLAGS, PAGE_SIZE), 3);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).permissions, EPT_RWX);
	assert_int_equal(seen_by(EPTP_FLAGS, 0x1000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(seen_by(EPTP_FLAGS, 0x2000).permissions, EPT_RWX);
	/* Expect: its first use sets its flag. */
	assert_int_equal(read_as(EPTP_FLAGS, 0x3000), EPT02_FILLED);
	assert_int_equal(get(PT + 24), LEAF(3) | EPT_ACCESSED);
}

static void a_neighbour_gets_what_the_tables_above_allow(void **state)
{
	(void)state;
	put_leaves(0);
	put(PD, PT | EPT_READ | EPT_EXECUTE);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	assert_int_equal(seen(0x1000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(read_as(EPTP, 0x10000), EPT02_FILLED);
	assert_int_equal(seen(0x10000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(seen(0x11000).permissions, EPT_READ | EPT_EXECUTE);
}

static void a_neighbour_that_is_not_there_or_bad_is_not_filled(void **state)
{
	(void)state;
	put_leaves(0);
	put(PT + 8, 0);
	put(PT + 16, LEAF(2) & ~EPT_READ);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	assert_int_equal(found(EPTP, PAGE_SIZE), 14);
	forget_flushes();
	/* Expect: no INVEPT is needed when they become present and sound. */
	put(PT + 8, LEAF(1));
	put(PT + 16, LEAF(2));
	assert_int_equal(read_as(EPTP, 0x1000), EPT02_FILLED);
	assert_int_equal(found(EPTP, PAGE_SIZE), 16);
	assert_false(world.ept02.flush_needed);
}

static void what_is_there_is_not_renewed_by_a_neighbour(void **state)
{
	(void)state;
	put_leaves(0);
	put(PT + 16, 0);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	put(PT + 8, LEAF(100));
	put(PT + 16, LEAF(2));
	assert_int_equal(read_as(EPTP, 0x2000), EPT02_FILLED);
	/* The processor may have the old one as well; both last until INVEPT. */
	assert_int_equal(seen(0x1000).value, LEAF(1));
}

/* --- INVEPT --------------------------------------------------------------------- */

static u64 sweep(u64 eptp12)
{
	u64 misses = 0;

	for (u64 address = 0; address < SIZE_2M; address += PAGE_SIZE) {
		if (seen_by(eptp12, address).value)
			continue;
		misses++;
		if (read_as(eptp12, address) != EPT02_FILLED)
			misses += 1000;
	}
	return misses;
}

static void after_invept_one_miss_brings_a_table_home(void **state)
{
	(void)state;
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	for (unsigned int i = 0; i < 3; i++) {
		forget_flushes();
		ept02_invalidate_single(&world.ept02, EPTP);
		assert_true(world.ept02.flush_needed);
		assert_int_equal(found(EPTP, PAGE_SIZE), 0);
		assert_int_equal(sweep(EPTP), 1);
	}
}

static void what_changed_before_invept_is_not_seen_after_it(void **state)
{
	(void)state;
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	put(PT + 1 * 8, LEAF(99));
	put(PT + 2 * 8, 0);
	put(PT + 3 * 8, LEAF(3) & ~EPT_WRITE);
	put(PT + 4 * 8, LEAF(4) ^ WB);
	put(PT + 5 * 8, LEAF(5) & ~EPT_READ);
	put(PT + 511 * 8, FAKE_BLOCK_BASE | EPT_RWX | WB);
	ept02_invalidate_all(&world.ept02);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	assert_int_equal(seen(0x1000).value, LEAF(99));
	assert_int_equal(seen(0x2000).value, 0);
	assert_int_equal(seen(0x3000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(seen(0x4000).value, LEAF(4) ^ WB);
	assert_int_equal(seen(0x5000).value, 0);
	assert_int_equal(seen(0x6000).value, LEAF(6));
	assert_int_equal(seen(0x1ff000).address.value, world.memory.scratch.value);
}

static void a_permission_taken_away_above_counts_after_invept(void **state)
{
	(void)state;
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	put(PDPT, PD | EPT_READ);
	assert_int_equal(seen(0x5000).permissions, EPT_RWX);
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	assert_int_equal(seen(0x5000).permissions, EPT_READ);
	assert_int_equal(touch_as(EPTP, 0x5000, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
}

static void flags_cleared_before_invept_are_set_again_by_use_alone(void **state)
{
	(void)state;
	put_leaves(EPT_ACCESSED | EPT_DIRTY);
	assert_int_equal(sweep(EPTP_FLAGS), 512 / 16);
	put(PT + 8, LEAF(1));
	put(PT + 16, LEAF(2) | EPT_ACCESSED);
	ept02_invalidate_single(&world.ept02, EPTP_FLAGS);
	assert_int_equal(read_as(EPTP_FLAGS, 0), EPT02_FILLED);
	assert_int_equal(seen_by(EPTP_FLAGS, 0x1000).value, 0);
	assert_int_equal(seen_by(EPTP_FLAGS, 0x2000).permissions, EPT_READ | EPT_EXECUTE);
	assert_int_equal(get(PT + 8), LEAF(1));
	assert_int_equal(touch_as(EPTP_FLAGS, 0x2000, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(get(PT + 16), LEAF(2) | EPT_ACCESSED | EPT_DIRTY);
}

static void accessed_flags_above_are_asked_too(void **state)
{
	(void)state;
	put_leaves(EPT_ACCESSED | EPT_DIRTY);
	assert_int_equal(sweep(EPTP_FLAGS), 512 / 16);
	put(PD, PT | EPT_RWX);
	ept02_invalidate_single(&world.ept02, EPTP_FLAGS);
	assert_int_equal(found(EPTP_FLAGS, PAGE_SIZE), 0);
	/* Expect: the miss sets it, as the processor's own walk would; then all below counts. */
	assert_int_equal(sweep(EPTP_FLAGS), 1);
	assert_int_equal(get(PD), PT | EPT_RWX | EPT_ACCESSED);
}

static void a_table_that_moved_is_compared_with_the_new_one(void **state)
{
	(void)state;
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	for (u64 i = 0; i < 512; i++)
		put(PT + 0x1000 + i * 8, i % 2 ? LEAF(i) : LEAF(511 - i));
	put(PD, (PT + 0x1000) | EPT_RWX);
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(seen(i * PAGE_SIZE).value, i % 2 ? LEAF(i) : LEAF(511 - i));
}

static void tables_give_way_to_a_large_page_after_invept(void **state)
{
	u64 free;

	(void)state;
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	free = world.ept02.free.count;
	for (u64 i = 0; i < 16; i++)
		put(PD + i * 8, LARGE(i));
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(read_as(EPTP, SIZE_2M), EPT02_FILLED);
	for (u64 i = 0; i < 16; i++)
		assert_int_equal(seen(i * SIZE_2M).size, SIZE_2M);
	assert_int_equal(world.ept02.free.count, free + 1);
	put(PDPT, LARGE(0) & ~(EPT_ADDRESS));
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(read_as(EPTP, SIZE_2M), EPT02_FILLED);
	assert_int_equal(seen(SIZE_2M).address.value, SIZE_2M);
}

static void invept_of_other_tables_parks_nothing(void **state)
{
	u64 other = (PML4 + 0x8000) | 3 << 3 | MEMORY_WB;

	(void)state;
	put(PML4 + 0x8000, PDPT | EPT_RWX);
	put_leaves(0);
	assert_int_equal(sweep(EPTP), 512 / 16);
	assert_int_equal(sweep(other), 512 / 16);
	put(PT, LEAF(77));
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(sweep(EPTP), 1);
	assert_int_equal(seen(0).value, LEAF(77));
	assert_int_equal(seen_by(other, 0).value, LEAF(0));
}

static void parked_tables_are_recycled_like_others(void **state)
{
	(void)state;
	world_begin(&world, CAPS, CAPS, EPT02_MIN_PAGES);
	put(PML4, PDPT | EPT_RWX);
	put(PDPT, PD | EPT_RWX);
	for (u64 i = 0; i < 512; i++)
		put(PD + i * 8, PT | EPT_RWX);
	put_leaves(0);
	for (u64 i = 0; i < 512; i++) {
		assert_int_equal(read_as(EPTP, i * SIZE_2M), EPT02_FILLED);
		if (i % 3 == 0)
			ept02_invalidate_single(&world.ept02, EPTP);
	}
	assert_true(world.ept02.recycled > 0);
}

/* --- ahead ------------------------------------------------------------------------ */

static void a_page_that_l1_maps_after_a_violation_is_filled_by_its_entry(void **state)
{
	(void)state;
	assert_int_equal(read_as(EPTP, 0x5000), EPT02_VIOLATION);
	put(PT + 5 * 8, LEAF(5));
	assert_int_equal(seen(0x5000).value, 0);
	(void)ept02_eptp(&world.ept02, EPTP);
	assert_int_equal(seen(0x5000).value, LEAF(5));
	/* Expect: next to it as well, where nothing has to be walked. */
	assert_int_equal(read_as(EPTP, 0x6000), EPT02_VIOLATION);
	put(PT + 6 * 8, LEAF(6));
	(void)ept02_eptp(&world.ept02, EPTP);
	assert_int_equal(seen(0x6000).value, LEAF(6));
	assert_int_equal(found(EPTP, PAGE_SIZE), 2);
}

/* Expect: a violation forgets its page wherever the same tables are composed, with and without accessed and dirty flags. */
static void a_violation_forgets_the_page_in_the_other_root_too(void **state)
{
	(void)state;
	put_leaves(EPT_ACCESSED | EPT_DIRTY);
	put(PML4, PDPT | EPT_RWX | EPT_ACCESSED);
	put(PDPT, PD | EPT_RWX | EPT_ACCESSED);
	put(PD, PT | EPT_RWX | EPT_ACCESSED);
	assert_int_equal(read_as(EPTP_FLAGS, 0), EPT02_FILLED);
	assert_int_equal(read_as(EPTP, 0), EPT02_FILLED);
	forget_flushes();
	put(PT + 8, 0);
	assert_int_equal(read_as(EPTP, 0x1000), EPT02_VIOLATION);
	assert_int_equal(seen_by(EPTP, 0x1000).value, 0);
	assert_int_equal(seen_by(EPTP_FLAGS, 0x1000).value, 0);
	assert_true(world.ept02.flush_needed);
}

static void an_entry_fills_nothing_that_is_not_there_or_not_marked(void **state)
{
	(void)state;
	assert_int_equal(read_as(EPTP, 0x5000), EPT02_VIOLATION);
	(void)ept02_eptp(&world.ept02, EPTP);
	assert_int_equal(found(EPTP, PAGE_SIZE), 0);
	assert_int_equal(read_as(EPTP_FLAGS, 0x5000), EPT02_VIOLATION);
	put(PT + 5 * 8, LEAF(5));
	(void)ept02_eptp(&world.ept02, EPTP_FLAGS);
	assert_int_equal(found(EPTP_FLAGS, PAGE_SIZE), 0);
	assert_int_equal(get(PT + 5 * 8), LEAF(5));
	assert_int_equal(get(PML4), PDPT | EPT_RWX);
}

static void an_entry_for_another_eptp_leaves_the_answer_to_its_own(void **state)
{
	(void)state;
	assert_int_equal(read_as(EPTP, 0x5000), EPT02_VIOLATION);
	put(PT + 5 * 8, LEAF(5));
	(void)ept02_eptp(&world.ept02, EPTP_FLAGS);
	assert_int_equal(found(EPTP, PAGE_SIZE), 0);
	(void)ept02_eptp(&world.ept02, EPTP);
	assert_int_equal(found(EPTP, PAGE_SIZE), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_miss_brings_its_group),
		TEST(a_miss_brings_its_group_of_large_pages),
		TEST(neighbours_never_lead_into_the_hidden_block),
		TEST(groups_after_the_first_never_lead_into_the_hidden_block),
		TEST(a_group_brings_no_access_that_ept12_forbids),
		TEST(a_neighbour_that_was_not_used_gets_no_flag_and_is_not_filled),
		TEST(a_neighbour_gets_what_the_tables_above_allow),
		TEST(a_neighbour_that_is_not_there_or_bad_is_not_filled),
		TEST(what_is_there_is_not_renewed_by_a_neighbour),
		TEST(after_invept_one_miss_brings_a_table_home),
		TEST(what_changed_before_invept_is_not_seen_after_it),
		TEST(a_permission_taken_away_above_counts_after_invept),
		TEST(flags_cleared_before_invept_are_set_again_by_use_alone),
		TEST(accessed_flags_above_are_asked_too),
		TEST(a_table_that_moved_is_compared_with_the_new_one),
		TEST(tables_give_way_to_a_large_page_after_invept),
		TEST(invept_of_other_tables_parks_nothing),
		TEST(parked_tables_are_recycled_like_others),
		TEST(a_page_that_l1_maps_after_a_violation_is_filled_by_its_entry),
		TEST(a_violation_forgets_the_page_in_the_other_root_too),
		TEST(an_entry_fills_nothing_that_is_not_there_or_not_marked),
		TEST(an_entry_for_another_eptp_leaves_the_answer_to_its_own),
	};

	return cmocka_run_group_tests_name("ept02_near", tests, NULL, NULL);
}
