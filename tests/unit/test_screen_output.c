/* SPDX-License-Identifier: MIT */
/*
 * L0's lines on the firmware's screen: drawn while the watched words are as they
 * were, by one CPU at a time, and never again once a word has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/ops.h"
#include "tests/fake/phys.h"

static u64 tables;
#define read_cr3() tables
#include "boot/root/screen_output.c"

#define PIXELS UINT64_C(0x200000)
#define WORDS UINT64_C(0x100000)
#define WIDTH 320
#define HEIGHT 190
#define INK 0xffffff

u64 stop_reasons;
static struct handoff handoff;
static console_show *now;

void console_set_show(console_show *wanted)
{
	now = wanted;
}

/* How many pixels have ink; the screen is blank again then. */
static u32 inked(void)
{
	u32 *pixels = phys_to_ptr(hpa(PIXELS)), count = 0;

	for (u32 i = 0; i < WIDTH * HEIGHT; i++) {
		count += pixels[i] == INK;
		pixels[i] = 0;
	}
	return count;
}

static u64 *word(u32 i)
{
	return (u64 *)phys_to_ptr(hpa(WORDS)) + i;
}

static int open_screen(void **state)
{
	(void)state;
	fake_memory_reset();
	memset(&output, 0, sizeof(output));
	memset(&handoff, 0, sizeof(handoff));
	handoff.block_base = tables = FAKE_BLOCK_BASE;
	handoff.block_size = FAKE_BLOCK_SIZE;
	handoff.screen = (struct handoff_screen){ .base = PIXELS, .width = WIDTH, .height = HEIGHT, .stride = WIDTH, .ink = INK,
						  .glyph_rows = 19 };
	memset(handoff.screen.glyph, 0xff, sizeof(handoff.screen.glyph));
	for (u32 i = 0; i < HANDOFF_SCREEN_WATCHES; i++) {
		*word(i) = i + 1;
		handoff.screen.watch[i].address = WORDS + i * sizeof(u64);
		handoff.screen.watch[i].value = i + 1;
	}
	now = NULL;
	screen_output_open(&handoff);
	return now == NULL;
}

static void a_line_is_drawn(void **state)
{
	(void)state;
	now("a", 1);
	assert_int_equal(inked(), 8 * 19);
}

/* Expect: each word alone ends it for good. */
static void a_word_that_changes_ends_it(void **state)
{
	for (u32 i = 0; i < HANDOFF_SCREEN_WATCHES; i++) {
		console_show *first;

		assert_int_equal(open_screen(state), 0);
		first = now;
		*word(i) = 0;
		first("a", 1);
		assert_int_equal(inked(), 0);
		assert_null(now);
	}
}

/* Expect: a CPU that comes while another one draws leaves its own line out, and takes nothing from those that follow. */
static void one_draws_at_a_time(void **state)
{
	(void)state;
	output.drawing = true;
	now("a", 1);
	assert_int_equal(inked(), 0);
	assert_true(output.drawing);
	output.drawing = false;
	assert_non_null(now);
	now("a", 1);
	assert_int_not_equal(inked(), 0);
	assert_false(output.drawing);
}

static void on_the_firmware_s_tables_nothing_is_drawn(void **state)
{
	(void)state;
	tables = 0x1000;
	now("a", 1);
	assert_int_equal(inked(), 0);
	assert_non_null(now);
}

/* Expect: no pixel and no word of L0's own block is taken for L1's. */
static void the_block_is_no_screen(void **state)
{
	(void)state;
	handoff.screen.watch[0].address = FAKE_BLOCK_BASE - 4;
	now("a", 1);
	assert_null(now);
	output.opened = (struct once){ 0 };
	handoff.screen.base = FAKE_BLOCK_BASE - 4096;
	screen_output_open(&handoff);
	assert_null(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_drawn, open_screen),
		cmocka_unit_test_setup(a_word_that_changes_ends_it, open_screen),
		cmocka_unit_test_setup(one_draws_at_a_time, open_screen),
		cmocka_unit_test_setup(on_the_firmware_s_tables_nothing_is_drawn, open_screen),
		cmocka_unit_test_setup(the_block_is_no_screen, open_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
