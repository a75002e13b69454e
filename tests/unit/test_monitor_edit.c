/* SPDX-License-Identifier: MIT */
/* What a user types at the monitor: keys, lines, words, numbers; and lines that are cut or broken to the terminal's width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/edit.h"
#include "monitor/words.h"
#include "tests/fake/collect.h"

static struct edit edit;
static struct collect echo;

static int fresh(void **state)
{
	(void)state;
	edit_init(&edit);
	collect_begin(&echo);
	return 0;
}

/* What the last key came to. */
static enum edit_result type_bytes(const char *keys, size_t count)
{
	enum edit_result result = EDIT_MORE;

	for (size_t i = 0; i < count; i++)
		result = edit_key(&edit, (u8)keys[i], &echo.out);
	return result;
}

static enum edit_result type(const char *keys)
{
	return type_bytes(keys, strlen(keys));
}

/* Types the line, and begins a new one. */
static void enter(const char *line)
{
	assert_int_equal(type(line), EDIT_MORE);
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_string_equal(edit.line, line);
	edit_begin(&edit);
}

/* --- keys ------------------------------------------------------------------------------- */

static void a_line_is_echoed_and_ends(void **state)
{
	(void)state;
	assert_int_equal(type("vmcs 12"), EDIT_MORE);
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_string_equal(edit.line, "vmcs 12");
	assert_string_equal(echo.text, "vmcs 12\n");
}

/* Expect: CR, LF, CR LF and CR NUL end one line each, and LF LF two. */
static void every_end_of_line_is_one(void **state)
{
	static const struct { const char *keys; size_t count; u32 lines; } ends[] = {
		{ "\r", 1, 1 }, { "\n", 1, 1 }, { "\r\n", 2, 1 }, { "\r\0", 2, 1 }, { "\n\n", 2, 2 }, { "\r\r\n", 3, 2 },
		{ "\n\r\n", 3, 2 },
	};

	for (u32 i = 0; i < array_size(ends); i++) {
		u32 lines = 0;

		(void)fresh(state);
		for (size_t j = 0; j < ends[i].count; j++)
			if (type_bytes(ends[i].keys + j, 1) == EDIT_LINE) {
				lines++;
				edit_begin(&edit);
			}
		assert_int_equal(lines, ends[i].lines);
		assert_int_equal(type("x"), EDIT_MORE);
		assert_string_equal(edit.line, "x");
	}
}

static void the_last_character_can_be_taken_back(void **state)
{
	(void)state;
	(void)type("ab\bc\177\177d");
	assert_string_equal(edit.line, "d");
	assert_string_equal(echo.text, "ab\b \bc\b \b\b \bd");
	(void)type("\b\b\b\b");
	assert_string_equal(edit.line, "");
	assert_string_equal(echo.text, "ab\b \bc\b \b\b \bd\b \b");
}

static void ctrl_u_takes_back_the_line(void **state)
{
	(void)state;
	(void)type("abc\025de");
	assert_string_equal(edit.line, "de");
	assert_string_equal(echo.text, "abc\b \b\b \b\b \bde");
}

static void ctrl_c_gives_the_line_up(void **state)
{
	(void)state;
	assert_int_equal(type("abc\003"), EDIT_CANCEL);
	assert_string_equal(echo.text, "abc^C\n");
	edit_begin(&edit);
	assert_string_equal(edit.line, "");
	/* It is no earlier line. */
	(void)type("\033[A");
	assert_string_equal(edit.line, "");
}

static void a_full_line_takes_no_more(void **state)
{
	(void)state;
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(type("x"), EDIT_MORE);
	assert_int_equal(strlen(edit.line), EDIT_SIZE - 1);
	assert_int_equal(echo.length, EDIT_SIZE - 1);
	assert_int_equal(type("\r"), EDIT_LINE);
}

/* Expect: control bytes and those above 126 are neither in the line nor echoed. */
static void what_is_no_character_is_dropped(void **state)
{
	(void)state;
	for (u32 key = 0; key < 256; key++)
		if (key != 3 && key != 8 && key != 10 && key != 13 && key != 21 && key != 27 && (key < 32 || key > 126))
			assert_int_equal(edit_key(&edit, (u8)key, &echo.out), EDIT_MORE);
	assert_string_equal(edit.line, "");
	assert_int_equal(echo.length, 0);
}

static void escape_sequences_are_dropped_whole(void **state)
{
	(void)state;
	(void)type("a\033[Cb\033[1;5Dc\033[3~d\033OPe\033xf\033[15~g\033\033[Ch");
	assert_string_equal(edit.line, "abcdefgh");
	assert_string_equal(echo.text, "abcdefgh");
}

/* Expect: a sequence that was cut off swallows no key that ends or gives up a line. */
static void control_keys_end_an_escape_sequence(void **state)
{
	(void)state;
	assert_int_equal(type("a\033[1\r"), EDIT_LINE);
	edit_begin(&edit);
	assert_int_equal(type("a\033\003"), EDIT_CANCEL);
	edit_begin(&edit);
	(void)type("ab\033[\bc");
	assert_string_equal(edit.line, "ac");
}

/* --- earlier lines ---------------------------------------------------------------------- */

static void earlier_lines_come_back(void **state)
{
	(void)state;
	enter("one");
	enter("two");
	(void)type("x\033[A");
	assert_string_equal(edit.line, "two");
	(void)type("\033[A");
	assert_string_equal(edit.line, "one");
	(void)type("\033[A");
	assert_string_equal(edit.line, "one");
	(void)type("\033[B\033OA\033[B");
	assert_string_equal(edit.line, "two");
	(void)type("\033[B");
	assert_string_equal(edit.line, "");
	(void)type("\033[B");
	assert_string_equal(edit.line, "");
	(void)type("\033[A!");
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_string_equal(edit.line, "two!");
}

/* Expect: a line again, and an empty one, are no new ones; the oldest goes. */
static void the_history_is_bounded(void **state)
{
	char line[8] = "line 00";

	(void)state;
	for (u32 i = 0; i < 20; i++) {
		line[5] = (char)('0' + i / 10);
		line[6] = (char)('0' + i % 10);
		enter(line);
		enter(line);
		enter("");
	}
	for (u32 i = 0; i < 2 * EDIT_HISTORY; i++)
		(void)type("\033[A");
	assert_string_equal(edit.line, "line 12");
}

/* --- words -------------------------------------------------------------------------------- */

static void a_line_has_words(void **state)
{
	char line[] = "  vmcs\t12   guest_rip ", empty[] = " \t ", many[] = "a b c d e";
	char *words[3];

	(void)state;
	assert_int_equal(words_split(line, words, 3), 3);
	assert_string_equal(words[0], "vmcs");
	assert_string_equal(words[1], "12");
	assert_string_equal(words[2], "guest_rip");
	assert_int_equal(words_split(empty, words, 3), 0);
	assert_int_equal(words_split(many, words, 3), 5);
	assert_string_equal(words[2], "c");
}

static void words_are_compared_without_regard_to_case(void **state)
{
	(void)state;
	assert_true(words_equal("Mem", "mEM") && !words_equal("mem", "mem!") && !words_equal("mem!", "mem"));
	assert_true(words_begins("continue", "CO") && words_begins("x", "") && !words_begins("c", "co"));
	assert_true(words_contain("GUEST_RIP", "t_r") && words_contain("GUEST_RIP", "rip") && words_contain("A", ""));
	assert_true(!words_contain("GUEST_RIP", "ripp") && !words_contain("", "a"));
}

static void numbers_are_bounded(void **state)
{
	static const struct { const char *word; bool hex, decimal; u64 as_hex, as_decimal; } numbers[] = {
		{ "0", true, true, 0, 0 }, { "10", true, true, 16, 10 }, { "0x10", true, true, 16, 16 }, { "0X1F", true, true, 31, 31 },
		{ "ffffffffffffffff", true, false, UINT64_MAX, 0 }, { "0000000000000000001", true, true, 1, 1 },
		{ "10000000000000000", false, true, 0, UINT64_C(10000000000000000) },
		{ "18446744073709551615", false, true, 0, UINT64_MAX }, { "18446744073709551616", false, false, 0, 0 },
		{ "", false, false, 0, 0 }, { "0x", false, false, 0, 0 }, { "-1", false, false, 0, 0 }, { "g", false, false, 0, 0 },
		{ "0x0x1", false, false, 0, 0 }, { "1 ", false, false, 0, 0 }, { "a", true, false, 10, 0 },
	};

	(void)state;
	for (u32 i = 0; i < array_size(numbers); i++) {
		u64 value = 77;

		assert_int_equal(words_hex(numbers[i].word, &value), numbers[i].hex);
		assert_true(value == (numbers[i].hex ? numbers[i].as_hex : 77));
		value = 77;
		assert_int_equal(words_number(numbers[i].word, &value), numbers[i].decimal);
		assert_true(value == (numbers[i].decimal ? numbers[i].as_decimal : 77));
	}
}

/* --- lines --------------------------------------------------------------------------------- */

static void a_long_line_is_cut(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(out_line(&echo.out, "%s", text));
	assert_int_equal(echo.length, OUT_COLUMNS + 1);
	assert_int_equal(echo.text[OUT_COLUMNS], '\n');
}

/* Expect: each line is as full as it can be, and nothing is lost. */
static void pieces_are_broken_into_lines(void **state)
{
	struct out_wrap wrap;
	u32 found = 0;

	(void)state;
	wrap_begin(&wrap, &echo.out, 4);
	wrap_add(&wrap, "a");
	wrap_add_words(&wrap, "b  c ");
	for (u32 i = 0; i < 100; i++)
		wrap_add(&wrap, "piece%02u", i);
	assert_true(wrap_end(&wrap));
	assert_int_equal(collect_width(&echo), 4 + 12 * 8 - 1);
	assert_memory_equal(echo.text, "a b c piece00 piece01", 21);
	for (const char *at = echo.text; (at = strstr(at, "piece")) != NULL; at++)
		assert_int_equal(atoi(at + 5), found++);
	assert_int_equal(found, 100);
	assert_non_null(strstr(echo.text, "\n    piece"));
}

static void a_piece_longer_than_a_line_is_cut(void **state)
{
	struct out_wrap wrap;
	char text[300];

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	wrap_begin(&wrap, &echo.out, 4);
	wrap_add(&wrap, "x");
	wrap_add(&wrap, "%s", text);
	wrap_add_words(&wrap, text);
	assert_true(wrap_end(&wrap));
	assert_int_equal(collect_width(&echo), OUT_COLUMNS);
	assert_memory_equal(echo.text, "x\n    yyy", 9);
}

/* Expect: after the user has broken off nothing is written any more. */
static void breaking_off_ends_the_pieces(void **state)
{
	struct out_wrap wrap;

	(void)state;
	echo.patience = 2;
	wrap_begin(&wrap, &echo.out, 4);
	for (u32 i = 0; i < 100; i++)
		wrap_add(&wrap, "piece%02u", i);
	assert_false(wrap_end(&wrap));
	assert_int_equal(echo.too_late, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_echoed_and_ends, fresh),
		cmocka_unit_test_setup(every_end_of_line_is_one, fresh),
		cmocka_unit_test_setup(the_last_character_can_be_taken_back, fresh),
		cmocka_unit_test_setup(ctrl_u_takes_back_the_line, fresh),
		cmocka_unit_test_setup(ctrl_c_gives_the_line_up, fresh),
		cmocka_unit_test_setup(a_full_line_takes_no_more, fresh),
		cmocka_unit_test_setup(what_is_no_character_is_dropped, fresh),
		cmocka_unit_test_setup(escape_sequences_are_dropped_whole, fresh),
		cmocka_unit_test_setup(control_keys_end_an_escape_sequence, fresh),
		cmocka_unit_test_setup(earlier_lines_come_back, fresh),
		cmocka_unit_test_setup(the_history_is_bounded, fresh),
		cmocka_unit_test_setup(a_line_has_words, fresh),
		cmocka_unit_test_setup(words_are_compared_without_regard_to_case, fresh),
		cmocka_unit_test_setup(numbers_are_bounded, fresh),
		cmocka_unit_test_setup(a_long_line_is_cut, fresh),
		cmocka_unit_test_setup(pieces_are_broken_into_lines, fresh),
		cmocka_unit_test_setup(a_piece_longer_than_a_line_is_cut, fresh),
		cmocka_unit_test_setup(breaking_off_ends_the_pieces, fresh),
	};

	return cmocka_run_group_tests_name("monitor_edit", tests, NULL, NULL);
}
