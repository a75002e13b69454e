/* SPDX-License-Identifier: MIT */
/*
 * L1's view of memory: hidden pages lead to the scratch page, whatever the
 * address, the length or the way of access; nothing else moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/l1_memory.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"

static struct l1_memory memory;
static u8 *scratch;

static int reset(void **state)
{
	(void)state;
	fake_memory_reset();
	scratch = page_alloc();
	memory = (struct l1_memory){
		.hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE, .scratch = phys_of(scratch),
		.physical_address_bits = 40,
	};
	return 0;
}

static bool is_in_block(u64 address)
{
	return address - FAKE_BLOCK_BASE < FAKE_BLOCK_SIZE;
}

static void memory_outside_the_block_is_identity(void **state)
{
	static const u64 addresses[] = { 0, 1, 0xfff, 0x1000, FAKE_BLOCK_BASE - 1, FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_int_equal(l1_to_hpa(&memory, l1_gpa(addresses[i])).value, addresses[i]);
}

static void every_hidden_page_leads_to_the_scratch_page(void **state)
{
	(void)state;
	for (u64 at = FAKE_BLOCK_BASE; at < FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE; at += 4097)
		assert_int_equal(l1_to_hpa(&memory, l1_gpa(at)).value, phys_of(scratch).value + (at & PAGE_MASK));
	assert_int_equal(l1_to_hpa(&memory, l1_gpa(FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE - 1)).value, phys_of(scratch).value + PAGE_MASK);
}

static void identity_is_denied_to_ranges_that_touch_the_block_or_wrap(void **state)
{
	(void)state;
	assert_true(l1_is_identity(&memory, l1_gpa(0), FAKE_BLOCK_BASE));
	assert_false(l1_is_identity(&memory, l1_gpa(0), FAKE_BLOCK_BASE + 1));
	assert_false(l1_is_identity(&memory, l1_gpa(FAKE_BLOCK_BASE), 1));
	assert_false(l1_is_identity(&memory, l1_gpa(FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE - 1), 1));
	assert_true(l1_is_identity(&memory, l1_gpa(FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE), SIZE_1G));
	assert_false(l1_is_identity(&memory, l1_gpa(0), UINT64_MAX));
	assert_false(l1_is_identity(&memory, l1_gpa(UINT64_MAX - 1), 4));
	assert_true(l1_is_identity(&memory, l1_gpa(FAKE_BLOCK_BASE), 0));
}

static void addresses_beyond_the_width_are_illegal(void **state)
{
	(void)state;
	assert_true(l1_is_legal(&memory, (UINT64_C(1) << 40) - 1));
	assert_false(l1_is_legal(&memory, UINT64_C(1) << 40));
	memory.physical_address_bits = 52;
	assert_true(l1_is_legal(&memory, UINT64_C(1) << 51));
	assert_false(l1_is_legal(&memory, UINT64_C(1) << 52));
}

static void copies_cross_pages_in_both_directions(void **state)
{
	u8 out[9000], in[9000];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7);
	l1_write(&memory, l1_gpa(0x12345), out, sizeof(out));
	l1_read(&memory, l1_gpa(0x12345), in, sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(*(u8 *)phys_to_ptr(hpa(0x12344)), 0);
	assert_int_equal(*(u8 *)phys_to_ptr(hpa(0x12345 + 9000)), 0);
}

static void writes_to_hidden_memory_change_only_the_scratch_page(void **state)
{
	u8 *secret = page_alloc();
	u8 bytes[3 * 4096];

	(void)state;
	memset(secret, 0x55, PAGE_SIZE);
	memset(bytes, 0xaa, sizeof(bytes));
	assert_true(is_in_block(phys_of(secret).value));
	l1_write(&memory, l1_gpa(phys_of(secret).value - PAGE_SIZE), bytes, sizeof(bytes));
	for (u64 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(secret[i], 0x55);
	assert_int_equal(scratch[17], 0xaa);
	assert_true(l1_update64(&memory, l1_gpa(phys_of(secret).value), UINT64_C(0xaaaaaaaaaaaaaaaa), 1));
	assert_int_equal(*(u64 *)(void *)secret, UINT64_C(0x5555555555555555));
}

static void reads_of_hidden_memory_show_only_the_scratch_page(void **state)
{
	u8 *secret = page_alloc();
	u8 bytes[4096];

	(void)state;
	memset(secret, 0x55, PAGE_SIZE);
	memset(scratch, 0x11, PAGE_SIZE);
	l1_read(&memory, l1_gpa(phys_of(secret).value), bytes, sizeof(bytes));
	for (u64 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(bytes[i], 0x11);
	assert_int_equal(l1_read64(&memory, l1_gpa(phys_of(secret).value)), UINT64_C(0x1111111111111111));
}

static void memory_that_cannot_be_reached_reads_as_ones_and_swallows_writes(void **state)
{
	u8 bytes[16];
	u64 nowhere = FAKE_MEMORY_SIZE + 8;

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	l1_write(&memory, l1_gpa(nowhere), bytes, sizeof(bytes));
	l1_read(&memory, l1_gpa(nowhere), bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0xff);
	assert_int_equal(l1_read64(&memory, l1_gpa(nowhere)), UINT64_MAX);
	assert_true(l1_update64(&memory, l1_gpa(nowhere), 0, 1));
	/* Within reach of a pointer, but beyond the processor's width. */
	memory.physical_address_bits = 20;
	assert_int_equal(l1_read64(&memory, l1_gpa(UINT64_C(1) << 20)), UINT64_MAX);
}

static void an_entry_is_updated_only_from_the_expected_value(void **state)
{
	u64 *entry = phys_to_ptr(hpa(0x5000));

	(void)state;
	*entry = 7;
	assert_false(l1_update64(&memory, l1_gpa(0x5000), 6, 0x100));
	assert_int_equal(*entry, 7);
	assert_true(l1_update64(&memory, l1_gpa(0x5000), 7, 0x100));
	assert_int_equal(*entry, 0x107);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_outside_the_block_is_identity, reset),
		cmocka_unit_test_setup(every_hidden_page_leads_to_the_scratch_page, reset),
		cmocka_unit_test_setup(identity_is_denied_to_ranges_that_touch_the_block_or_wrap, reset),
		cmocka_unit_test_setup(addresses_beyond_the_width_are_illegal, reset),
		cmocka_unit_test_setup(copies_cross_pages_in_both_directions, reset),
		cmocka_unit_test_setup(writes_to_hidden_memory_change_only_the_scratch_page, reset),
		cmocka_unit_test_setup(reads_of_hidden_memory_show_only_the_scratch_page, reset),
		cmocka_unit_test_setup(memory_that_cannot_be_reached_reads_as_ones_and_swallows_writes, reset),
		cmocka_unit_test_setup(an_entry_is_updated_only_from_the_expected_value, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
