/* SPDX-License-Identifier: MIT */
/*
 * The walk of EPT12 while L1 changes it at the worst moment. The files under
 * test are compiled in here with their two ways to L1's memory replaced, so that an
 * entry can change between any two looks at it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mm/l1_memory.h"

static u64 hooked_read64(const struct l1_memory *memory, l1_gpa_t from);
static bool hooked_update64(const struct l1_memory *memory, l1_gpa_t at, u64 expected, u64 set);
#define l1_read64 hooked_read64
#define l1_update64 hooked_update64
#include "vmx/nested/ept02_miss.c"
#include "vmx/nested/ept12_walk.c"
#undef l1_read64
#undef l1_update64

#include "mm/page_alloc.h"
#include "tests/fake/phys.h"

#define PML4 UINT64_C(0x100000)
#define PDPT (PML4 + 0x1000)
#define PD (PML4 + 0x2000)
#define PT (PML4 + 0x3000)
#define EPTP (PML4 | 3 << 3 | MEMORY_WB | EPTP_ACCESSED_DIRTY)
#define LEAF (UINT64_C(0x400000) | EPT_RWX | (u64)MEMORY_WB << 3)

static struct l1_memory memory;
static const struct ept_rules rules = { true, true, true, 40, false };

/* L1's treachery: what an entry becomes as soon as it was read, and whether updates find it changed. */
static struct {
	bool changes, always_raced;
	u64 becomes;
	unsigned int reads, updates;
} l1;

static void put(u64 at, u64 value)
{
	l1_write(&memory, l1_gpa(at), &value, sizeof(value));
}

static u64 hooked_read64(const struct l1_memory *of, l1_gpa_t from)
{
	u64 value = l1_read64(of, from);

	l1.reads++;
	if (l1.changes)
		put(from.value, l1.becomes);
	return value;
}

static bool hooked_update64(const struct l1_memory *of, l1_gpa_t at, u64 expected, u64 set)
{
	l1.updates++;
	return !l1.always_raced && l1_update64(of, at, expected, set);
}

static int begin(void **state)
{
	(void)state;
	fake_memory_reset();
	memset(&l1, 0, sizeof(l1));
	memory = (struct l1_memory){
		.hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE,
		.scratch = phys_of(page_alloc()), .physical_address_bits = 40,
	};
	put(PML4, PDPT | EPT_RWX);
	put(PDPT, PD | EPT_RWX);
	put(PD, PT | EPT_RWX);
	put(PT, LEAF);
	return 0;
}

static struct ept12_walk walk_to(u64 address)
{
	return ept12_walk(&memory, &rules, EPTP, l2_gpa(address));
}

static void each_entry_is_read_once(void **state)
{
	struct ept12_walk walk = walk_to(0x123);

	(void)state;
	assert_int_equal(walk.outcome, EPT12_TRANSLATED);
	assert_int_equal(walk.address.value, 0x400123);
	assert_int_equal(walk.steps, 4);
	assert_int_equal(l1.reads, 4);
}

static void what_changes_after_it_was_read_does_not_count(void **state)
{
	static const u64 becomes[] = { 0, ~UINT64_C(0), EPT_WRITE, FAKE_BLOCK_BASE | EPT_RWX | EPT_LARGE };

	for (unsigned int i = 0; i < array_size(becomes); i++) {
		struct ept12_walk walk;

		begin(state);
		l1.changes = true;
		l1.becomes = becomes[i];
		walk = walk_to(0x123);
		assert_int_equal(walk.outcome, EPT12_TRANSLATED);
		assert_int_equal(walk.address.value, 0x400123);
		assert_int_equal(walk.permissions, EPT_RWX);
		assert_int_equal(ept12_last(&walk), LEAF);
	}
}

static void flags_are_not_set_in_an_entry_that_changed(void **state)
{
	static const u64 entries[] = { PML4, PDPT, PD, PT };

	for (unsigned int i = 0; i < array_size(entries); i++) {
		struct ept12_walk walk;

		begin(state);
		walk = walk_to(0);
		put(entries[i], 0x600000 | EPT_RWX);
		assert_false(ept12_mark_used(&walk, &memory, true));
		assert_int_equal(l1_read64(&memory, l1_gpa(entries[i])), 0x600000 | EPT_RWX);
	}
}

static void flags_that_are_set_are_not_written_again(void **state)
{
	struct ept12_walk walk = walk_to(0);

	(void)state;
	assert_true(ept12_mark_used(&walk, &memory, true));
	assert_int_equal(l1.updates, 4);
	walk = walk_to(0);
	assert_true(ept12_mark_used(&walk, &memory, true));
	assert_int_equal(l1.updates, 4);
	assert_int_equal(ept12_last(&walk), LEAF | EPT_ACCESSED | EPT_DIRTY);
}

static struct vmx_caps caps;
static struct ept02 tables;

static void begin_ept02(void)
{
	void *pool = page_alloc_contiguous(EPT02_MIN_PAGES);

	caps.ept_vpid = EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_ACCESSED_DIRTY;
	ept02_init(&tables, &memory, &caps, &caps, pool, EPT02_MIN_PAGES);
}

static struct ept02_result miss(u64 eptp12, u64 access)
{
	return ept02_handle(&tables, &(struct ept02_miss){ .eptp12 = eptp12, .address = l2_gpa(0), .qualification = access });
}

static void a_race_that_never_ends_ends_the_miss_all_the_same(void **state)
{
	struct ept02_result result;

	(void)state;
	begin_ept02();
	l1.always_raced = true;
	result = miss(EPTP, EPT_ACCESS_WRITE);
	/* Expect: L2 goes on, and misses again. */
	assert_int_equal(result.outcome, EPT02_FILLED);
	assert_int_equal(tables.fills, 0);
	assert_int_equal(l1.updates, WALK_TRIES);
	l1.always_raced = false;
	result = miss(EPTP, EPT_ACCESS_WRITE);
	assert_int_equal(result.outcome, EPT02_FILLED);
	assert_int_equal(tables.fills, 1);
}

static void what_is_filled_is_what_was_checked(void **state)
{
	struct ept tables02;
	u64 eptp02;

	(void)state;
	begin_ept02();
	l1.changes = true;
	l1.becomes = FAKE_BLOCK_BASE | EPT_RWX | 7 << 3;
	/* Without flags nothing is written back, so the race goes unnoticed: the copy counts. */
	assert_int_equal(miss(EPTP & ~EPTP_ACCESSED_DIRTY, EPT_ACCESS_READ).outcome,
			 EPT02_FILLED);
	eptp02 = ept02_eptp(&tables, EPTP & ~EPTP_ACCESSED_DIRTY);
	tables02 = (struct ept){ .root = phys_to_ptr(hpa(eptp02 & EPTP_ADDRESS)), .levels = 4 };
	assert_int_equal(ept_lookup(&tables02, 0).value, LEAF);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_entry_is_read_once),
		TEST(what_changes_after_it_was_read_does_not_count),
		TEST(flags_are_not_set_in_an_entry_that_changed),
		TEST(flags_that_are_set_are_not_written_again),
		TEST(a_race_that_never_ends_ends_the_miss_all_the_same),
		TEST(what_is_filled_is_what_was_checked),
	};

	return cmocka_run_group_tests_name("ept12_walk", tests, NULL, NULL);
}
