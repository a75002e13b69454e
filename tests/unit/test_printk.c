/* SPDX-License-Identifier: MIT */
/*
 * The formatter against the C library's snprintf: same text, same length, also
 * where the buffer is too small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/printk.h"

/* Formats with both and compares, for every buffer size up to a little more than needed. */
#define SAME(...)                                                                            \
	do {                                                                                 \
		char ours[160], theirs[160];                                                 \
		int length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                  \
		for (size_t size = 0; size <= (size_t)length + 2; size++) {                  \
			memset(ours, '~', sizeof(ours));                                     \
			memset(theirs, '~', sizeof(theirs));                                 \
			(void)snprintf(theirs, size, __VA_ARGS__);                           \
			assert_int_equal(format_text(ours, size, __VA_ARGS__), length);      \
			assert_memory_equal(ours, theirs, sizeof(ours));                     \
		}                                                                            \
	} while (0)

static void integers_are_formatted_like_libc_does(void **state)
{
	static const int values[] = { 0, 1, -1, 9, 10, 4711, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < array_size(values); i++) {
		SAME("%d %i", values[i], values[i]);
		SAME("%u|%x|%X", (unsigned int)values[i], (unsigned int)values[i], (unsigned int)values[i]);
		SAME("%12d|%-12d|%012d", values[i], values[i], values[i]);
		SAME("%#x|%#010x|%-10x|%3x", (unsigned int)values[i], (unsigned int)values[i], (unsigned int)values[i],
		     (unsigned int)values[i]);
	}
}

static void long_integers_are_formatted_like_libc_does(void **state)
{
	static const long values[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 0x123456789abcdef };

	(void)state;
	for (size_t i = 0; i < array_size(values); i++) {
		SAME("%ld %lu %lx", values[i], (unsigned long)values[i], (unsigned long)values[i]);
		SAME("%016lx|%#18lx|%-20lx|", (unsigned long)values[i], (unsigned long)values[i], (unsigned long)values[i]);
		SAME("%lld %llu %zu", (long long)values[i], (unsigned long long)values[i], (size_t)values[i]);
	}
}

static void texts_are_formatted_like_libc_does(void **state)
{
	(void)state;
	SAME("%s", "");
	SAME("%s and %s", "one", "another");
	SAME("%10s|%-10s|%2s", "right", "left", "longer");
	SAME("%c%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd', 'e');
	SAME("100%% sure");
	SAME("no conversion at all");
}

static void pointers_are_formatted_like_libc_does(void **state)
{
	(void)state;
	SAME("%p", (void *)(uintptr_t)0xffff800012345000);
	SAME("%20p|%-20p|", (void *)(uintptr_t)0x1000, (void *)(uintptr_t)0x1000);
}

static void null_text_is_named(void **state)
{
	char text[16];
	const char *volatile nothing = NULL;	/* the compiler would know better */

	(void)state;
	format_text(text, sizeof(text), "%s", nothing);
	assert_string_equal(text, "(null)");
}

static void unknown_conversions_show_themselves(void **state)
{
	char text[16];
	const char *volatile odd = "a%qb%";	/* not a literal: compilers know better */

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	assert_int_equal(format_text(text, sizeof(text), odd), 4);
#pragma GCC diagnostic pop
	assert_string_equal(text, "a%qb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_formatted_like_libc_does),
		cmocka_unit_test(long_integers_are_formatted_like_libc_does),
		cmocka_unit_test(texts_are_formatted_like_libc_does),
		cmocka_unit_test(pointers_are_formatted_like_libc_does),
		cmocka_unit_test(null_text_is_named),
		cmocka_unit_test(unknown_conversions_show_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
