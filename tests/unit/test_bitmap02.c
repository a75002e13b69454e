/* SPDX-License-Identifier: MIT */
/* Bitmaps that are ones but for the words that L2 needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/bitmap02.h"

#define PAGE_A UINT64_C(0x90000)
#define PAGE_B UINT64_C(0x94000)
#define WORDS (BITMAP02_PAGES * BITMAP02_PAGE_WORDS)

static u64 content[WORDS], own[WORDS];
static struct bitmap02 bitmap;
static struct builder builder;
static struct bitmap12 l1;

static u64 *page(u64 address)
{
	return phys_to_ptr(hpa(address));
}

static u64 *l1_word(u32 word)
{
	return &page(word < BITMAP02_PAGE_WORDS ? PAGE_A : PAGE_B)[word % BITMAP02_PAGE_WORDS];
}

static void begin(void)
{
	builder_init(&builder, BUILD_LONG);
	memset(own, 0, sizeof(own));
	memset(page(PAGE_A), 0, PAGE_SIZE);
	memset(page(PAGE_B), 0, PAGE_SIZE);
	l1 = (struct bitmap12){ .page = { l1_gpa(PAGE_A), l1_gpa(PAGE_B) }, .own = own };
	bitmap02_init(&bitmap, content, BITMAP02_PAGES);
}

static u32 words_that_pass(void)
{
	u32 count = 0;

	for (u32 i = 0; i < WORDS; i++)
		count += content[i] != ~UINT64_C(0);
	return count;
}

/* Expect: all exits, whatever L1's bitmap says, until something was learned. */
static void a_new_bitmap_is_all_ones(void **state)
{
	(void)state;
	begin();
	assert_int_equal(words_that_pass(), 0);
	bitmap02_refresh(&bitmap, &l1, &builder.memory);
	assert_int_equal(words_that_pass(), 0);
}

static void a_word_is_read_from_its_page(void **state)
{
	(void)state;
	begin();
	*l1_word(511) = 5;
	*l1_word(512) = 6;
	assert_int_equal(bitmap12_read(&l1, &builder.memory, 511), 5);
	assert_int_equal(bitmap12_read(&l1, &builder.memory, 512), 6);
}

/* Expect: only the learned words, with L1's bits of now and L0's. */
static void a_refresh_takes_what_l1_and_l0_have(void **state)
{
	(void)state;
	begin();
	own[7] = 0x10;
	bitmap02_learn(&bitmap, 7, own[7]);
	bitmap02_learn(&bitmap, 600, 0);
	assert_int_equal(words_that_pass(), 2);
	*l1_word(7) = 3;
	*l1_word(600) = 4;
	*l1_word(8) = 9;
	bitmap02_refresh(&bitmap, &l1, &builder.memory);
	assert_int_equal(content[7], 0x13);
	assert_int_equal(content[600], 4);
	assert_int_equal(words_that_pass(), 2);
	*l1_word(7) = 0;
	bitmap02_refresh(&bitmap, &l1, &builder.memory);
	assert_int_equal(content[7], 0x10);
}

static void a_word_is_learned_once(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < 100; i++)
		bitmap02_learn(&bitmap, 3, i);
	assert_int_equal(bitmap.count, 1);
	assert_int_equal(content[3], 99);
}

/* Expect: the one too many begins a new list; the words of the old one exit again. */
static void a_full_list_starts_over(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < BITMAP02_WORDS; i++)
		bitmap02_learn(&bitmap, i * 2, 0);
	assert_int_equal(words_that_pass(), BITMAP02_WORDS);
	bitmap02_learn(&bitmap, WORDS - 1, 0);
	assert_int_equal(words_that_pass(), 1);
	assert_int_equal(content[WORDS - 1], 0);
	assert_int_equal(bitmap.count, 1);
}

/* Expect: a page in L0's block is the scratch page; one that L0 cannot reach reads as ones. */
static void pages_that_are_not_l1s(void **state)
{
	(void)state;
	begin();
	bitmap02_learn(&bitmap, 0, 0);
	bitmap02_learn(&bitmap, 512, 0);
	memset(phys_to_ptr(hpa(FAKE_BLOCK_BASE + 0x4000)), 0, PAGE_SIZE);
	memset(phys_to_ptr(builder.memory.scratch), 0x55, PAGE_SIZE);
	l1.page[0] = l1_gpa(FAKE_BLOCK_BASE + 0x4000);
	bitmap02_refresh(&bitmap, &l1, &builder.memory);
	assert_int_equal(content[0], UINT64_C(0x5555555555555555));
	l1.page[1] = l1_gpa(BIT(51));
	bitmap02_refresh(&bitmap, &l1, &builder.memory);
	assert_int_equal(words_that_pass(), 0);
	assert_int_equal(bitmap12_read(&l1, &builder.memory, 0), UINT64_C(0x5555555555555555));
	assert_true(bitmap12_read(&l1, &builder.memory, 512) == ~UINT64_C(0));
}

/* Expect: after a refresh no bit is clear that L1 or L0 has set, whatever was learned and changed before. */
static void no_bit_of_l1s_or_l0s_is_ever_lost(void **state)
{
	(void)state;
	begin();
	srandom(1);
	for (u32 round = 0; round < 3000; round++) {
		u32 word = (u32)random() % WORDS;

		if (random() % 3 == 0)
			own[word] |= UINT64_C(1) << random() % 64;
		if (random() % 2)
			*l1_word((u32)random() % WORDS) = (u64)random();
		bitmap02_learn(&bitmap, word, bitmap12_read(&l1, &builder.memory, word) | own[word]);
		bitmap02_refresh(&bitmap, &l1, &builder.memory);
		for (u32 i = 0; i < WORDS; i++) {
			u64 wanted = own[i] | *l1_word(i);

			assert_true((content[i] & wanted) == wanted);
			assert_true(content[i] == wanted || content[i] == ~UINT64_C(0));
		}
		assert_true(content[word] == (own[word] | *l1_word(word)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bitmap_is_all_ones),
		cmocka_unit_test(a_word_is_read_from_its_page),
		cmocka_unit_test(a_refresh_takes_what_l1_and_l0_have),
		cmocka_unit_test(a_word_is_learned_once),
		cmocka_unit_test(a_full_list_starts_over),
		cmocka_unit_test(pages_that_are_not_l1s),
		cmocka_unit_test(no_bit_of_l1s_or_l0s_is_ever_lost),
	};

	return cmocka_run_group_tests_name("bitmap02", tests, NULL, NULL);
}
