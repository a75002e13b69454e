/* SPDX-License-Identifier: MIT */
/* Sub-page-permission tables, L1's and L0's. SDM "Sub-Page Write Permissions". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "vmx/nested/spp.h"

#define SPPT UINT64_C(0x190000)
/* Indices 1, 2, 3, 4 from the root down. */
#define ADDRESS l2_gpa(UINT64_C(1) << 39 | UINT64_C(2) << 30 | 3 << 21 | 4 << 12)

static struct l1_memory memory;

static void put(u64 at, u64 value)
{
	l1_write(&memory, l1_gpa(at), &value, sizeof(value));
}

static int begin(void **state)
{
	(void)state;
	fake_memory_reset();
	memory = (struct l1_memory){
		.hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE,
		.scratch = phys_of(page_alloc()), .physical_address_bits = 40,
	};
	put(SPPT + 1 * 8, (SPPT + 0x1000) | 1);
	put(SPPT + 0x1000 + 2 * 8, (SPPT + 0x2000) | 1);
	put(SPPT + 0x2000 + 3 * 8, (SPPT + 0x3000) | 1);
	put(SPPT + 0x3000 + 4 * 8, BIT(0) | BIT(62));
	return 0;
}

static void the_vector_is_found_by_nine_bits_a_level(void **state)
{
	struct spp12_walk walk = spp12_walk(&memory, SPPT | 1, ADDRESS);

	(void)state;
	assert_int_equal(walk.outcome, SPP_FOUND);
	assert_true(walk.vector == (BIT(0) | BIT(62)));
	assert_int_equal(spp12_walk(&memory, SPPT, l2_gpa(0)).outcome, SPP_MISS);
}

static void each_128_bytes_have_a_bit(void **state)
{
	(void)state;
	for (u64 offset = 0; offset < PAGE_SIZE; offset++)
		assert_int_equal(spp_allows(BIT(0) | BIT(6) | BIT(62), l2_gpa(0x7000 + offset)),
				 offset < 128 || (offset >= 384 && offset < 512) || offset >= 3968);
}

static void reserved_bits_are_a_misconfiguration(void **state)
{
	for (unsigned int bit = 1; bit < 64; bit++) {
		bool address = bit >= 12 && bit < memory.physical_address_bits;

		begin(state);
		put(SPPT + 0x1000 + 2 * 8, (SPPT + 0x2000) | 1 | BIT(bit));
		if (!address)
			assert_int_equal(spp12_walk(&memory, SPPT, ADDRESS).outcome, SPP_MISCONFIGURED);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		begin(state);
		put(SPPT + 0x3000 + 4 * 8, BIT(bit));
		assert_int_equal(spp12_walk(&memory, SPPT, ADDRESS).outcome, bit % 2 ? SPP_MISCONFIGURED : SPP_FOUND);
	}
}

static void tables_in_hidden_memory_are_read_from_the_scratch_page(void **state)
{
	(void)state;
	put(SPPT + 1 * 8, FAKE_BLOCK_BASE | 1);
	assert_int_equal(spp12_walk(&memory, SPPT, ADDRESS).outcome, SPP_MISS);
}

static void *page_or_none(void *left)
{
	unsigned int *pages = left;

	return *pages ? ((*pages)--, page_alloc()) : NULL;
}

static void tables_of_ours_are_made_where_they_are_missing(void **state)
{
	u64 *root = page_alloc(), *vector;
	unsigned int pages = SPP_TABLES_PER_PAGE;

	(void)state;
	assert_null(spp02_vector(root, ADDRESS, NULL, NULL));
	vector = spp02_vector(root, ADDRESS, page_or_none, &pages);
	assert_non_null(vector);
	assert_int_equal(pages, 0);
	*vector = BIT(4);
	assert_ptr_equal(spp02_vector(root, ADDRESS, NULL, NULL), vector);
	assert_int_equal(root[1] & PAGE_MASK, 1);
	/* Expect: no table half made. */
	assert_null(spp02_vector(root, l2_gpa(0), page_or_none, &pages));
	assert_int_equal(root[0], 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_vector_is_found_by_nine_bits_a_level),
		TEST(each_128_bytes_have_a_bit),
		TEST(reserved_bits_are_a_misconfiguration),
		TEST(tables_in_hidden_memory_are_read_from_the_scratch_page),
		TEST(tables_of_ours_are_made_where_they_are_missing),
	};

	return cmocka_run_group_tests_name("spp", tests, NULL, NULL);
}
