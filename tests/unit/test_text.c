/* SPDX-License-Identifier: MIT */
/*
 * The loader's formatter against the C library's, and its character sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/uefi/text.h"

/* Expect: the same text as snprintf writes. */
#define assert_same_as_libc(...)                               \
	do {                                                   \
		char ours[64], theirs[64];                     \
		text_format(ours, sizeof(ours), __VA_ARGS__);  \
		snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_string_equal(ours, theirs);             \
	} while (0)

static void formats_as_the_c_library_does(void **state)
{
	(void)state;
	assert_same_as_libc("plain");
	assert_same_as_libc("%s and %s", "one", "");
	assert_same_as_libc("%c%c", 'a', 'b');
	assert_same_as_libc("%u %u", 0u, UINT32_MAX);
	assert_same_as_libc("%lu %lx", UINT64_MAX, UINT64_MAX);
	assert_same_as_libc("%x %08x %8x %2x", 0xabcu, 0xabcu, 0xabcu, 0xabcu);
	assert_same_as_libc("%5u|%05u|100%%", 42u, 42u);
}

/* Expect: cut, terminated, and the returned length is what was written. */
static void a_text_that_does_not_fit_is_cut(void **state)
{
	char out[6] = "#####";

	(void)state;
	assert_int_equal(text_format(out, sizeof(out), "%s", "0123456789"), 5);
	assert_string_equal(out, "01234");
	assert_int_equal(text_format(out, 1, "x"), 0);
	assert_string_equal(out, "");
	assert_int_equal(text_format(NULL, 0, "x"), 0);
}

/* Expect: one to three bytes become one unit, and what UCS-2 lacks a question mark. */
static void utf8_becomes_ucs2(void **state)
{
	static const u16 expected[] = { 'a', 0xfc, 0x20ac, '?', 'z', 0 };
	u16 out[16];

	(void)state;
	assert_int_equal(text_to_ucs2(out, 16, "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa2z"), 5);
	assert_memory_equal(out, expected, sizeof(expected));
	assert_int_equal(text_to_ucs2(out, 3, "abcdef"), 2);
	assert_int_equal(out[2], 0);
}

/* Expect: every unit that is a character comes back as it was. */
static void ucs2_comes_back_from_utf8(void **state)
{
	(void)state;
	for (u32 c = 0x20; c < 0xfffe; c++) {
		u16 unit = (u16)c, back[4];
		char bytes[8];

		if (c == 0x7f || (c >= 0xd800 && c < 0xe000))
			continue;
		assert_int_not_equal(text_from_ucs2(bytes, sizeof(bytes), &unit, 1), 0);
		assert_true(text_is_plain_utf8(bytes, strlen(bytes)));
		assert_int_equal(text_to_ucs2(back, 4, bytes), 1);
		assert_int_equal(back[0], c);
	}
}

/* Expect: nothing at all of it is taken. */
static void binary_load_options_are_no_text(void **state)
{
	static const u16 binary[] = { 'a', 'b', 0x0001, 'c' };
	static const u16 surrogates[] = { 'a', 0xd83d, 0xdc22 };
	char out[16];

	(void)state;
	assert_int_equal(text_from_ucs2(out, sizeof(out), binary, 4), 0);
	assert_string_equal(out, "");
	assert_int_equal(text_from_ucs2(out, sizeof(out), surrogates, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_as_the_c_library_does),
		cmocka_unit_test(a_text_that_does_not_fit_is_cut),
		cmocka_unit_test(utf8_becomes_ucs2),
		cmocka_unit_test(ucs2_comes_back_from_utf8),
		cmocka_unit_test(binary_load_options_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
