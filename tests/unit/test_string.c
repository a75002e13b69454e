/* SPDX-License-Identifier: MIT */
/* L0's own memory functions (arch/string.c) beside the C library's, up to the end of a page behind which nothing is mapped. */
#define memcpy l0_memcpy
#define memmove l0_memmove
#define memset l0_memset
#define memcmp l0_memcmp
#define strlen l0_strlen
#include "arch/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define PAGE 4096
#define LONGEST 70

static u8 *one, *other;	/* LONGEST bytes each, the last of a page */

static u8 *end_of_page(void)
{
	u8 *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	return pages + PAGE - LONGEST;
}

static int set_up(void **state)
{
	(void)state;
	one = end_of_page();
	other = end_of_page();
	return 0;
}

static void fill(void)
{
	for (u32 i = 0; i < LONGEST; i++)
		one[i] = other[i] = (u8)random();
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* Expect: the first byte that differs decides, as a number without sign, whatever comes behind it. */
static void memcmp_finds_the_first_difference(void **state)
{
	(void)state;
	for (u32 size = 0; size <= LONGEST; size++) {
		u32 start = LONGEST - size;

		fill();
		assert_int_equal(l0_memcmp(one + start, other + start, size), 0);
		for (u32 at = start; at < LONGEST; at++)
			for (u32 round = 0; round < 4; round++) {
				fill();
				other[at] ^= (u8)(1u << random() % 8);
				for (u32 i = at + 1; i < LONGEST && round % 2; i++)
					other[i] = (u8)random();
				assert_int_equal(sign(l0_memcmp(one + start, other + start, size)),
						 sign(memcmp(one + start, other + start, size)));
				assert_int_equal(l0_memcmp(one + start, other + start, at - start), 0);
			}
	}
}

/* Expect: all of it, and not a byte beside it; memmove also where both overlap. */
static void the_others_write_what_they_shall(void **state)
{
	u8 expected[LONGEST];

	(void)state;
	for (u32 from = 0; from < LONGEST; from++)
		for (u32 to = 0; to < LONGEST; to++) {
			u32 size = (u32)random() % (LONGEST - (from > to ? from : to) + 1);

			fill();
			memcpy(expected, other, LONGEST);
			memcpy(expected + to, one + from, size);
			assert_ptr_equal(l0_memcpy(other + to, one + from, size), other + to);
			assert_memory_equal(other, expected, LONGEST);
			memmove(expected + to, expected + from, size);
			assert_ptr_equal(l0_memmove(other + to, other + from, size), other + to);
			assert_memory_equal(other, expected, LONGEST);
			memset(expected + to, (int)from + 0x100, size);
			assert_ptr_equal(l0_memset(other + to, (int)from + 0x100, size), other + to);
			assert_memory_equal(other, expected, LONGEST);
		}
}

static void strlen_stops_at_the_end(void **state)
{
	(void)state;
	memset(one, 'a', LONGEST);
	one[LONGEST - 1] = 0;
	for (u32 i = 0; i < LONGEST; i++)
		assert_int_equal(l0_strlen((char *)one + i), LONGEST - 1 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memcmp_finds_the_first_difference),
		cmocka_unit_test(the_others_write_what_they_shall),
		cmocka_unit_test(strlen_stops_at_the_end),
	};

	return cmocka_run_group_tests_name("string", tests, set_up, NULL);
}
