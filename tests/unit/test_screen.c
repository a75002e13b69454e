/* SPDX-License-Identifier: MIT */
/* Text on a framebuffer: each pixel of it, and none that is not the screen's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "drivers/screen.h"

#define ROWS 19
#define INK 0xffffff
#define OLD 0x123456u		/* what nobody has drawn over */
#define MOST (2000u * 1100)

static struct handoff_screen about;
static struct screen screen;
static u32 *memory, *pixels;	/* with as much before and behind the screen */

/* A glyph that names its character: the code in row 1, its complement in row 2. */
static void make_font(void)
{
	for (u32 i = 0; i < HANDOFF_GLYPHS; i++) {
		about.glyph[i][1] = (u8)(' ' + i);
		about.glyph[i][2] = i ? (u8)~(' ' + i) : 0;
	}
	about.glyph[0][1] = 0;
}

static void prepare(u32 width, u32 height, u32 stride)
{
	memset(&about, 0, sizeof(about));
	about = (struct handoff_screen){ .base = 0xe0000000, .width = width, .height = height, .stride = stride, .ink = INK,
					 .glyph_rows = ROWS };
	make_font();
	assert_true(stride * height <= MOST);
	for (u32 i = 0; i < 3 * MOST; i++)
		memory[i] = OLD;
	assert_true(screen_init(&screen, &about));
}

static int make_memory(void **state)
{
	(void)state;
	memory = malloc(3 * MOST * sizeof(*memory));
	pixels = memory + MOST;
	return memory == NULL;
}

static int free_memory(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* What stands at a character's place: itself, ' ', or 0 where nothing was drawn; anything else is a failure. */
static char char_at(u32 row, u32 column)
{
	const u32 *at = pixels + (size_t)row * ROWS * about.stride + column * 8;
	u8 line[ROWS] = { 0 };

	if (at[0] == OLD)
		return 0;
	for (u32 y = 0; y < ROWS; y++)
		for (u32 x = 0; x < 8; x++) {
			u32 pixel = at[y * about.stride + x];

			assert_true(pixel == 0 || pixel == INK);
			line[y] |= (u8)(pixel ? 0x80 >> x : 0);
		}
	for (u32 y = 0; y < ROWS; y++)
		assert_true(y == 1 || y == 2 || line[y] == 0);
	if (line[1] == 0 && line[2] == 0)
		return ' ';
	assert_int_equal(line[1], (u8)~line[2]);
	return (char)line[1];
}

static void expect_row(u32 row, u32 column, const char *text)
{
	for (u32 i = 0; i < strlen(text); i++)
		assert_int_equal(char_at(row, column + i), text[i]);
}

static void put(const char *text)
{
	screen_line(&screen, pixels, text, strlen(text));
}

/* Outside of the screen's lines, and behind the last pixel of each. */
static void expect_nothing_outside(void)
{
	for (u32 i = 0; i < MOST; i++)
		assert_int_equal(memory[i], OLD);
	for (u32 y = 0; y < about.height; y++)
		for (u32 x = about.width; x < about.stride; x++)
			assert_int_equal(pixels[(size_t)y * about.stride + x], OLD);
	for (u32 *at = pixels + (size_t)about.height * about.stride; at < memory + 3 * MOST; at++)
		assert_int_equal(*at, OLD);
}

static void lines_stand_in_the_lower_third(void **state)
{
	(void)state;
	prepare(800, 600, 832);		/* 31 rows, the last 10 */
	put("testudo[0]: one");
	put("testudo[0]: two ~");
	expect_row(21, 0, "testudo[0]: one ");
	expect_row(22, 0, "testudo[0]: two ~ ");
	expect_row(23, 0, "    ");
	assert_int_equal(char_at(20, 0), 0);
	assert_int_equal(char_at(24, 0), 0);
	expect_nothing_outside();
}

static void a_long_line_goes_on_below(void **state)
{
	char text[261];

	(void)state;
	prepare(800, 600, 800);
	for (u32 i = 0; i < 260; i++)
		text[i] = (char)('a' + i % 26);
	text[260] = '\0';
	put(text);
	for (u32 i = 0; i < 260; i++)
		assert_int_equal(char_at(21 + i / 100, i % 100), text[i]);
	assert_int_equal(char_at(23, 60), ' ');
	put("next");
	expect_row(24, 0, "next ");
	expect_nothing_outside();
}

static void the_top_of_it_comes_again(void **state)
{
	char text[2] = "a";

	(void)state;
	prepare(800, 600, 800);
	for (u32 i = 0; i < 12; i++, text[0]++)
		put(text);
	expect_row(21, 0, "k ");
	expect_row(22, 0, "l ");
	expect_row(23, 0, "  ");	/* was c */
	expect_row(24, 0, "d ");
	expect_row(30, 0, "j ");
	for (u32 row = 0; row < 21; row++)
		assert_int_equal(char_at(row, 0), 0);
	expect_nothing_outside();
}

static void a_wide_screen_has_columns(void **state)
{
	(void)state;
	prepare(1920, 1080, 1920);	/* 240 characters, 56 rows: 2 columns of 120, 18 rows */
	for (u32 i = 0; i < 19; i++)
		put("left or right");
	expect_row(38, 0, "left or right ");
	expect_row(55, 0, "left or right ");
	expect_row(38, 120, "left or right ");
	expect_row(39, 120, "     ");
	assert_int_equal(char_at(40, 120), 0);
	for (u32 i = 0; i < 18; i++)
		put("again");
	expect_row(38, 0, "again         ");
	expect_nothing_outside();
}

static void last_words_take_all_and_stop_at_the_end(void **state)
{
	(void)state;
	prepare(1000, 601, 1024);
	for (u32 i = 0; i < 15; i++)
		put("before");
	screen_take_all(&screen, pixels);
	for (u32 y = 0; y < about.height; y++)
		for (u32 x = 0; x < about.width; x++)
			assert_int_equal(pixels[y * about.stride + x], 0);
	put("PANIC");
	for (u32 i = 1; i < 31; i++)
		put("dump");
	put("no more");
	put("no more");
	expect_row(0, 0, "PANIC ");
	for (u32 row = 1; row < 31; row++)
		expect_row(row, 0, "dump    ");
	expect_nothing_outside();
}

static void what_has_no_glyph_is_a_question_mark(void **state)
{
	(void)state;
	prepare(800, 600, 800);
	put("a\x1b\x7f\x80\xff\n!");
	expect_row(21, 0, "a????" "?! ");
}

static void every_size_stays_within(void **state)
{
	static const u32 widths[] = { 160, 167, 640, 880, 1759, 1761, 1920 }, heights[] = { 114, 200, 480, 1080 };
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (u32 i = 0; i < array_size(widths) * array_size(heights); i++) {
		prepare(widths[i % array_size(widths)], heights[i / array_size(widths)], widths[i % array_size(widths)] + 3);
		for (u32 n = 0; n < 150; n++)
			screen_line(&screen, pixels, text, n * 2);
		screen_take_all(&screen, pixels);
		for (u32 n = 0; n < 150; n++)
			screen_line(&screen, pixels, text, n * 2);
		expect_nothing_outside();
	}
}

static void what_is_no_screen_is_refused(void **state)
{
	static const struct handoff_screen bad[] = {
		{ .base = 0, .width = 800, .height = 600, .stride = 800, .glyph_rows = ROWS },
		{ .base = 1, .width = 800, .height = 600, .stride = 799, .glyph_rows = ROWS },
		{ .base = 1, .width = 800, .height = 600, .stride = SCREEN_MAX_SIDE + 1, .glyph_rows = ROWS },
		{ .base = 1, .width = 800, .height = SCREEN_MAX_SIDE + 1, .stride = 800, .glyph_rows = ROWS },
		{ .base = 1, .width = 800, .height = 600, .stride = 800, .glyph_rows = 0 },
		{ .base = 1, .width = 800, .height = 600, .stride = 800, .glyph_rows = HANDOFF_GLYPH_ROWS + 1 },
		{ .base = 1, .width = 152, .height = 600, .stride = 800, .glyph_rows = ROWS },
		{ .base = 1, .width = 800, .height = 113, .stride = 800, .glyph_rows = ROWS },
		{ .base = UINT64_MAX - 1000, .width = 800, .height = 600, .stride = 800, .glyph_rows = ROWS },
	};

	(void)state;
	for (u32 i = 0; i < array_size(bad); i++)
		assert_false(screen_init(&screen, &bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_stand_in_the_lower_third), cmocka_unit_test(a_long_line_goes_on_below),
		cmocka_unit_test(the_top_of_it_comes_again), cmocka_unit_test(a_wide_screen_has_columns),
		cmocka_unit_test(last_words_take_all_and_stop_at_the_end), cmocka_unit_test(what_has_no_glyph_is_a_question_mark),
		cmocka_unit_test(every_size_stays_within), cmocka_unit_test(what_is_no_screen_is_refused),
	};

	return cmocka_run_group_tests(tests, make_memory, free_memory);
}
