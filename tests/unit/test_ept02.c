/* SPDX-License-Identifier: MIT */
/*
 * EPT02 as the TLB that the SDM describes, behaviour by behaviour. Random
 * tables are in test_ept02_random.c, what controls add in test_ept02_features.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ept02_hands.h"

static struct ept02_result touch(u64 address, u64 access)
{
	return touch_as(EPTP, address, access | LINEAR);
}

static void a_mapped_page_is_filled_with_its_permissions_and_type(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | (u64)MEMORY_WT << 3 | EPT_IGNORE_PAT);
	assert_int_equal(touch(0x10, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x10).value,
			 0x400000 | EPT_READ | EPT_EXECUTE | (u64)MEMORY_WT << 3 | EPT_IGNORE_PAT);
	assert_int_equal(seen(0x10).address.value, 0x400010);
	assert_int_equal(world.ept02.fills, 1);
}

static void permissions_are_the_and_over_the_walk(void **state)
{
	(void)state;
	put(PD, PT | EPT_READ | EPT_WRITE);
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).permissions, EPT_READ);
}

static void a_page_not_present_is_a_violation_and_is_not_cached(void **state)
{
	struct ept02_result result = touch(0x3000, EPT_ACCESS_WRITE);

	(void)state;
	assert_int_equal(result.outcome, EPT02_VIOLATION);
	assert_int_equal(result.qualification, EPT_ACCESS_WRITE | LINEAR);
	assert_int_equal(seen(0x3000).value, 0);
	/* Expect: no INVEPT is needed when not present becomes present. */
	put(PT + 3 * 8, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0x3000, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
}

static void a_violation_tells_what_ept12_allows(void **state)
{
	struct ept02_result result;

	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | WB);
	result = touch(0, EPT_ACCESS_WRITE);
	assert_int_equal(result.outcome, EPT02_VIOLATION);
	assert_int_equal(result.qualification, EPT_ACCESS_WRITE | (EPT_READ | EPT_EXECUTE) << 3 | LINEAR);
}

static void a_violation_keeps_what_hardware_says_of_the_access(void **state)
{
	u64 of_access = EPT_ACCESS_READ | BIT(7) | BIT(12) | BIT(13) | BIT(16);

	(void)state;
	/* Bits 3-6 are of EPT02 and bits 14 and 15 of features not offered: not L1's. */
	assert_int_equal(touch_as(EPTP, 0, of_access | BITS(6, 3) | BITS(15, 14)).qualification, of_access);
}

static void advanced_information_is_kept_only_when_offered(void **state)
{
	(void)state;
	assert_int_equal(touch(0, EPT_ACCESS_READ | BITS(11, 9)).qualification, EPT_ACCESS_READ | LINEAR | BITS(11, 9));
	/* What is offered never changes; another EPTP12 has not asked yet. */
	world.offered.ept_vpid &= ~EPT_CAP_ADVANCED_EXIT_INFORMATION;
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | BITS(11, 9) | LINEAR).qualification, EPT_ACCESS_READ | LINEAR);
}

static void a_violation_forgets_what_translated_its_address(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | WB);
	put(PT + 8, 0x401000 | EPT_READ | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(touch(0x1000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_VIOLATION);
	assert_int_equal(seen(0).value, 0);
	assert_int_equal(seen(0x1000).address.value, 0x401000);
}

static void a_violation_forgets_in_the_other_root_of_the_same_tables(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	forget_flushes();
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
	assert_int_equal(seen(0).value, 0);
	assert_true(ept02_take_flush(&world.ept02, EPTP));
	assert_false(ept02_take_flush(&world.ept02, EPTP));
}

static void a_bad_entry_is_a_misconfiguration_and_is_not_cached(void **state)
{
	static const u64 bad[] = { EPT_WRITE | WB, EPT_WRITE | EPT_EXECUTE | WB, EPT_RWX | 2 << 3, EPT_RWX | 3 << 3,
				   EPT_RWX | 7 << 3, EPT_RWX | WB | BIT(40), EPT_RWX | WB | BIT(51) };

	(void)state;
	for (unsigned int i = 0; i < array_size(bad); i++) {
		put(PT, 0x400000 | bad[i]);
		assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_MISCONFIGURED);
		assert_int_equal(seen(0).value & EPT_RWX, 0);
	}
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
}

static void a_misconfiguration_comes_before_a_missing_permission_above_it(void **state)
{
	(void)state;
	put(PD, PT | EPT_READ);
	put(PT, 0x400000 | EPT_WRITE | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_MISCONFIGURED);
}

static void execute_only_is_judged_by_what_is_offered(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_EXECUTE | WB);
	assert_int_equal(touch(0, EPT_ACCESS_EXECUTE).outcome, EPT02_FILLED);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_VIOLATION);
	world.offered.ept_vpid &= ~EPT_CAP_EXECUTE_ONLY;
	assert_int_equal(touch(0, EPT_ACCESS_EXECUTE).outcome, EPT02_MISCONFIGURED);
}

static void large_pages_stay_large(void **state)
{
	(void)state;
	put(PD + 8, 0x400000 | EPT_RWX | WB | EPT_LARGE);
	put(PDPT + 8, SIZE_1G | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch(0x234567, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x234567).size, SIZE_2M);
	assert_int_equal(seen(0x234567).address.value, 0x434567);
	assert_int_equal(touch(0x7fffffff, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x7fffffff).size, SIZE_1G);
	assert_int_equal(seen(0x7fffffff).address.value, 0x7fffffff);
}

static void large_pages_become_small_where_hardware_lacks_them(void **state)
{
	(void)state;
	world.hardware.ept_vpid &= ~EPT_CAP_1G;
	put(PDPT + 8, SIZE_1G | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch(0x40201000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x40201000).size, SIZE_2M);
	ept02_invalidate_all(&world.ept02);
	world.hardware.ept_vpid &= ~EPT_CAP_2M;
	assert_int_equal(touch(0x40601000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x40601000).size, PAGE_SIZE);
	assert_int_equal(seen(0x40601000).address.value, 0x40601000);
}

static void hidden_memory_is_the_scratch_page_whatever_ept12_maps(void **state)
{
	(void)state;
	put(PT, (FAKE_BLOCK_BASE + 0x5000) | EPT_RWX | WB);
	put(PD + 8, FAKE_BLOCK_BASE | EPT_RWX | WB | EPT_LARGE);
	put(PDPT + 8, 0 | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).address.value, world.memory.scratch.value);
	assert_int_equal(touch(0x2ff123, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x2ff123).size, PAGE_SIZE);
	assert_int_equal(seen(0x2ff123).address.value, world.memory.scratch.value + 0x123);
	/* A 1 GB page around the block: small within it, 2 MB beside it. */
	assert_int_equal(touch(SIZE_1G + FAKE_BLOCK_BASE + 0x3000, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(SIZE_1G + FAKE_BLOCK_BASE + 0x3000).address.value, world.memory.scratch.value);
	assert_int_equal(touch(SIZE_1G + FAKE_BLOCK_BASE - 1, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(SIZE_1G + FAKE_BLOCK_BASE - 1).size, SIZE_2M);
}

static void tables_of_ept12_in_hidden_memory_are_read_from_the_scratch_page(void **state)
{
	(void)state;
	put(FAKE_BLOCK_BASE + 0x100000, 0x400000 | EPT_RWX | WB);
	put(PD, (FAKE_BLOCK_BASE + 0x100000) | EPT_RWX);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_VIOLATION);
}

static void an_address_beyond_the_walk_is_a_violation(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(BIT(48), EPT_ACCESS_READ).outcome, EPT02_VIOLATION);
}

static void a_stale_translation_may_last_until_invept_and_no_longer(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	put(PT, 0);
	assert_int_equal(seen(0).address.value, 0x400000);
	forget_flushes();
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(seen(0).value, 0);
	assert_true(ept02_take_flush(&world.ept02, EPTP));
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_VIOLATION);
}

static void invept_single_goes_by_the_table_and_spares_others(void **state)
{
	u64 other = (PML4 + 0x8000) | 3 << 3 | MEMORY_WB;

	(void)state;
	put(PML4 + 0x8000, PDPT | EPT_RWX);
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(other, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	/* SDM "INVEPT": only bits 51:12 of the EPTP in the descriptor count. */
	ept02_invalidate_single(&world.ept02, EPTP_FLAGS);
	assert_int_equal(seen(0).value, 0);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).value, 0);
	assert_int_equal(seen_by(other, 0).address.value, 0x400000);
	ept02_invalidate_all(&world.ept02);
	assert_int_equal(seen_by(other, 0).value, 0);
}

static void invept_keeps_the_hardware_root(void **state)
{
	u64 eptp02 = ept02_eptp(&world.ept02, EPTP);

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	ept02_invalidate_all(&world.ept02);
	assert_int_equal(ept02_eptp(&world.ept02, EPTP), eptp02);
}

static void more_permission_is_filled_without_a_flush(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	forget_flushes();
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).permissions, EPT_RWX);
	assert_false(world.ept02.flush_needed);
}

static void another_page_in_its_place_needs_a_flush(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	forget_flushes();
	put(PT, 0x401000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).address.value, 0x401000);
	assert_true(world.ept02.flush_needed);
}

static void a_large_page_goes_whole_when_a_small_one_takes_its_place(void **state)
{
	(void)state;
	put(PD, 0x400000 | EPT_READ | WB | EPT_LARGE);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	forget_flushes();
	put(PT, 0x600000 | EPT_RWX | WB);
	put(PD, PT | EPT_RWX);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).address.value, 0x600000);
	assert_int_equal(seen(0x1000).value, 0);
	assert_true(world.ept02.flush_needed);
}

static void a_small_page_stays_small_when_ept12_grows_without_invept(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	put(PD, 0x400000 | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch(0x7000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x7000).size, PAGE_SIZE);
	assert_int_equal(seen(0x8000).value, 0);
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(touch(0x7000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	assert_int_equal(seen(0x7000).size, SIZE_2M);
}

static void a_miss_of_hardware_alone_is_filled(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	forget_flushes();
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(seen(0).address.value, 0x400000);
	assert_false(world.ept02.flush_needed);
}

static void without_flags_ept12_is_not_written(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
	assert_int_equal(get(PT), 0x400000 | EPT_RWX | WB);
	assert_int_equal(get(PML4), PDPT | EPT_RWX);
	assert_int_equal(seen(0).permissions, EPT_RWX);
	assert_false(ept02_eptp(&world.ept02, EPTP) & EPTP_ACCESSED_DIRTY);
}

static void a_read_sets_accessed_flags_and_the_first_write_the_dirty_flag(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(get(PML4), PDPT | EPT_RWX | EPT_ACCESSED);
	assert_int_equal(get(PDPT), PD | EPT_RWX | EPT_ACCESSED);
	assert_int_equal(get(PD), PT | EPT_RWX | EPT_ACCESSED);
	assert_int_equal(get(PT), 0x400000 | EPT_RWX | WB | EPT_ACCESSED);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).permissions, EPT_READ | EPT_EXECUTE);
	forget_flushes();
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(get(PT), 0x400000 | EPT_RWX | WB | EPT_ACCESSED | EPT_DIRTY);
	assert_int_equal(get(PD), PT | EPT_RWX | EPT_ACCESSED);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).permissions, EPT_RWX);
	assert_false(world.ept02.flush_needed);
}

static void a_dirty_page_is_writable_at_the_first_read(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB | EPT_DIRTY);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).permissions, EPT_RWX);
}

static void a_refused_access_sets_no_flags(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | WB);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
	assert_int_equal(get(PT), 0x400000 | EPT_READ | WB);
	assert_int_equal(get(PML4), PDPT | EPT_RWX);
}

static void with_flags_a_page_walk_counts_as_a_write(void **state)
{
	struct ept02_result result;

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	put(PT + 8, 0x401000 | EPT_READ | WB);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_READ | BIT(7)).outcome, EPT02_FILLED);
	assert_true(get(PT) & EPT_DIRTY);
	result = touch_as(EPTP_FLAGS, 0x1000, EPT_ACCESS_READ | BIT(7));
	assert_int_equal(result.outcome, EPT02_VIOLATION);
	assert_int_equal(result.qualification, EPT_ACCESS_READ | EPT_ACCESS_WRITE | EPT_READ << 3 | BIT(7));
	/* Hardware must see it so too, for pages that EPT02 has already. */
	assert_true(ept02_eptp(&world.ept02, EPTP_FLAGS) & EPTP_ACCESSED_DIRTY);
	/* Loads of PDPTEs by MOV to CR have no linear address and are reads. */
	assert_int_equal(touch_as(EPTP_FLAGS, 0x1000, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	/* Without flags it is a read. */
	assert_int_equal(touch_as(EPTP, 0x1000, EPT_ACCESS_READ | BIT(7)).outcome, EPT02_FILLED);
}

static void tables_that_hold_themselves_get_their_flags(void **state)
{
	(void)state;
	/* Four levels of the same entry: the last one is a leaf for the page table's own page. */
	put(PML4, PML4 | EPT_RWX);
	assert_int_equal(touch_as(EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(get(PML4), PML4 | EPT_RWX | EPT_ACCESSED | EPT_DIRTY);
	assert_int_equal(seen_by(EPTP_FLAGS, 0).address.value, PML4);
}

static void misconfiguration_seen_by_hardware_alone_drops_the_entry(void **state)
{
	const struct ept02_miss miss = { .eptp12 = EPTP, .address = l2_gpa(0), .misconfiguration = true };
	struct ept02_result result;

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch(0, EPT_ACCESS_READ).outcome, EPT02_FILLED);
	result = ept02_handle(&world.ept02, &miss);
	assert_int_equal(result.outcome, EPT02_FILLED);
	assert_int_equal(seen(0).value, 0);
	put(PT, 0x400000 | EPT_WRITE | WB);
	result = ept02_handle(&world.ept02, &miss);
	assert_int_equal(result.outcome, EPT02_MISCONFIGURED);
}

static void five_levels_are_walked_where_hardware_has_them(void **state)
{
	u64 pml5 = PML4 + 0x9000, eptp = pml5 | 4 << 3 | MEMORY_WB;

	(void)state;
	world_begin(&world, CAPS | EPT_CAP_5_LEVEL, CAPS | EPT_CAP_5_LEVEL, PAGES);
	put(pml5 + 8, PML4 | EPT_RWX);
	put(PML4, PDPT | EPT_RWX);
	put(PDPT, SIZE_1G | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch_as(eptp, BIT(48) + 5, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(seen_by(eptp, BIT(48) + 5).address.value, SIZE_1G + 5);
	assert_int_equal(field_get(ept02_eptp(&world.ept02, eptp), EPTP_WALK_LENGTH), 4);
}

static void the_smallest_pool_serves_any_number_of_pages(void **state)
{
	(void)state;
	world_begin(&world, CAPS, CAPS, EPT02_MIN_PAGES);
	/* Every entry of three levels leads to the same table below: 512 * 512 page tables. */
	for (unsigned int i = 0; i < 512; i++) {
		put(PML4 + i * 8, PDPT | EPT_RWX);
		put(PDPT + i * 8, PD | EPT_RWX);
		put(PD + i * 8, PT | EPT_RWX);
	}
	put(PT, 0x400000 | EPT_RWX | WB);
	for (u64 i = 0; i < 2000; i++) {
		u64 address = i * 0x4000200000;

		if (address >> 48)
			address &= BITS(47, 0);
		assert_int_equal(touch(align_down(address, SIZE_2M), EPT_ACCESS_WRITE).outcome, EPT02_FILLED);
		assert_int_equal(seen(align_down(address, SIZE_2M)).address.value, 0x400000);
	}
	assert_true(world.ept02.recycled > 0);
	assert_int_equal(world.ept02.fills, 2000);
}

static void the_root_used_least_recently_gives_its_tables(void **state)
{
	u64 old = EPTP, used = EPTP_FLAGS;

	(void)state;
	world_begin(&world, CAPS, CAPS, EPT02_MIN_PAGES);
	put(PML4, PDPT | EPT_RWX);
	for (unsigned int i = 0; i < 512; i++)
		put(PDPT + i * 8, PD | EPT_RWX);
	put(PD, PT | EPT_RWX);
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch_as(old, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	for (u64 i = 0; !world.ept02.recycled; i++)
		assert_int_equal(touch_as(used, i * SIZE_1G, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(seen_by(used, 0).address.value, 0x400000);
	assert_int_equal(seen_by(old, 0).value, 0);
	assert_true(ept02_take_flush(&world.ept02, old));
}

static void more_eptps_than_roots_take_turns(void **state)
{
	(void)state;
	for (u64 round = 0; round < 3; round++) {
		for (u64 i = 0; i < 2 * EPT02_ROOTS; i++) {
			u64 eptp = (PML4 + (0x10 + i) * 0x1000) | 3 << 3 | MEMORY_WB;

			put(eptp & EPTP_ADDRESS, PDPT | EPT_RWX);
			put(PT, (0x400000 + i * 0x1000) | EPT_RWX | WB);
			assert_int_equal(seen_by(eptp, 0).value, 0);
			assert_true(ept02_take_flush(&world.ept02, eptp));
			assert_int_equal(touch_as(eptp, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
			assert_int_equal(seen_by(eptp, 0).address.value, 0x400000 + i * 0x1000);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mapped_page_is_filled_with_its_permissions_and_type),
		TEST(permissions_are_the_and_over_the_walk),
		TEST(a_page_not_present_is_a_violation_and_is_not_cached),
		TEST(a_violation_tells_what_ept12_allows),
		TEST(a_violation_keeps_what_hardware_says_of_the_access),
		TEST(advanced_information_is_kept_only_when_offered),
		TEST(a_violation_forgets_what_translated_its_address),
		TEST(a_violation_forgets_in_the_other_root_of_the_same_tables),
		TEST(a_bad_entry_is_a_misconfiguration_and_is_not_cached),
		TEST(a_misconfiguration_comes_before_a_missing_permission_above_it),
		TEST(execute_only_is_judged_by_what_is_offered),
		TEST(large_pages_stay_large),
		TEST(large_pages_become_small_where_hardware_lacks_them),
		TEST(hidden_memory_is_the_scratch_page_whatever_ept12_maps),
		TEST(tables_of_ept12_in_hidden_memory_are_read_from_the_scratch_page),
		TEST(an_address_beyond_the_walk_is_a_violation),
		TEST(a_stale_translation_may_last_until_invept_and_no_longer),
		TEST(invept_single_goes_by_the_table_and_spares_others),
		TEST(invept_keeps_the_hardware_root),
		TEST(more_permission_is_filled_without_a_flush),
		TEST(another_page_in_its_place_needs_a_flush),
		TEST(a_large_page_goes_whole_when_a_small_one_takes_its_place),
		TEST(a_small_page_stays_small_when_ept12_grows_without_invept),
		TEST(a_miss_of_hardware_alone_is_filled),
		TEST(without_flags_ept12_is_not_written),
		TEST(a_read_sets_accessed_flags_and_the_first_write_the_dirty_flag),
		TEST(a_dirty_page_is_writable_at_the_first_read),
		TEST(a_refused_access_sets_no_flags),
		TEST(with_flags_a_page_walk_counts_as_a_write),
		TEST(tables_that_hold_themselves_get_their_flags),
		TEST(misconfiguration_seen_by_hardware_alone_drops_the_entry),
		TEST(five_levels_are_walked_where_hardware_has_them),
		TEST(the_smallest_pool_serves_any_number_of_pages),
		TEST(the_root_used_least_recently_gives_its_tables),
		TEST(more_eptps_than_roots_take_turns),
	};

	return cmocka_run_group_tests_name("ept02", tests, NULL, NULL);
}
