/* SPDX-License-Identifier: MIT */
/* The console's ring in memory: what the next boot reads of it, also when memory has changed since. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/bits.h"
#include "drivers/log_ring.h"

#define BOOT 7

static struct log_ring ring;
static struct log_reader reader;
static char line[LOG_RING_LINE];

static int fresh(void **state)
{
	(void)state;
	memset(&ring, 0xa5, sizeof(ring));
	log_ring_init(&ring, BOOT, false);
	return 0;
}

static void put(const char *text)
{
	log_ring_put(&ring, text, strlen(text));
}

static void put_number(u32 number)
{
	char text[64];

	snprintf(text, sizeof(text), "testudo[0]: line %u", number);
	put(text);
}

static u32 number_of(const char *text)
{
	u32 number;

	assert_int_equal(sscanf(text, "testudo[0]: line %u", &number), 1);
	return number;
}

static void expect(const char *text)
{
	assert_true(log_reader_next(&reader, line));
	assert_string_equal(line, text);
}

static void expect_end(void)
{
	assert_false(log_reader_next(&reader, line));
}

static u32 lines_left(void)
{
	u32 count = 0;

	while (log_reader_next(&reader, line))
		count++;
	return count;
}

static void lines_come_back_as_they_were(void **state)
{
	(void)state;
	assert_true(log_ring_is_whole(&ring));
	log_reader_begin(&reader, &ring);
	expect_end();
	put("testudo[0]: one");
	put("");
	put("testudo[1]: ~ three");
	log_reader_begin(&reader, &ring);
	expect("testudo[0]: one");
	expect("");
	expect("testudo[1]: ~ three");
	expect_end();
	assert_true(log_ring_is_whole(&ring));
}

/* As docs/configuration.md has it for who reads a memory dump. */
static void a_dump_finds_it_by_its_signature(void **state)
{
	(void)state;
	put("testudo[0]: readable");
	assert_memory_equal(&ring, "TESTUDO-CONSOLE", 16);
	assert_memory_equal((const char *)&ring + 64, "testudo[0]: readable\n", 21);
}

static void only_printable_characters_are_kept(void **state)
{
	char long_line[1000];

	(void)state;
	put("a\x1b[2J\tb\n\r\x7f\xc3");
	memset(long_line, 'x', sizeof(long_line));
	log_ring_put(&ring, long_line, sizeof(long_line));
	log_reader_begin(&reader, &ring);
	expect("a?[2J?b????");
	assert_true(log_reader_next(&reader, line));
	assert_int_equal(strlen(line), LOG_RING_LINE - 1);
	expect_end();
}

/* Many turns, at each place of the end: the newest lines, without gap, and none that is cut. */
static void a_full_ring_keeps_the_newest(void **state)
{
	u32 number = 0;

	(void)state;
	while (number < 20000) {
		u32 last = 0, count = 0;

		for (u32 i = 0; i < 997; i++)
			put_number(number++);
		log_reader_begin(&reader, &ring);
		while (log_reader_next(&reader, line)) {
			assert_true(count == 0 || number_of(line) == last + 1);
			last = number_of(line);
			count++;
		}
		assert_int_equal(last, number - 1);
		assert_true(number < 3000 || count > LOG_RING_TEXT / 30);
	}
}

/* The word that tells the end is written last, and at once. */
static void a_line_that_was_cut_off_by_a_reset_is_not_there(void **state)
{
	u64 before;

	(void)state;
	put("testudo[0]: one");
	before = ring.written;
	put("testudo[0]: two");
	ring.written = before;
	assert_true(log_ring_is_whole(&ring));
	log_reader_begin(&reader, &ring);
	expect("testudo[0]: one");
	expect_end();
}

static void a_damaged_line_is_left_out(void **state)
{
	(void)state;
	put("testudo[0]: one");
	put("testudo[0]: two");
	put("testudo[0]: three");
	ring.text[20] ^= 1;
	log_reader_begin(&reader, &ring);
	expect("testudo[0]: one");
	expect("testudo[0]: three");
	expect_end();
}

/* Each bit of a line matters, its end and checksum too, and whatever comes of it, the line behind is found again. */
static void every_bit_is_checked(void **state)
{
	u32 shown = 0;

	(void)state;
	put("testudo[0]: the first line");
	put("testudo[0]: the second line");
	put("testudo[0]: the third line");
	for (u32 bit = 0; bit < 29 * 8; bit++) {
		ring.text[bit / 8] ^= (char)(1 << bit % 8);
		log_reader_begin(&reader, &ring);
		while (log_reader_next(&reader, line)) {
			assert_string_not_equal(line, "testudo[0]: the first line");
			shown += strcmp(line, "testudo[0]: the second line") && strcmp(line, "testudo[0]: the third line");
		}
		assert_string_equal(line, "testudo[0]: the third line");
		ring.text[bit / 8] ^= (char)(1 << bit % 8);
	}
	/* A checksum of 14 bits is no proof, but no single bit gets past it. */
	assert_int_equal(shown, 0);
}

/* The header of this boot over text of an earlier one, as `written` would have it. */
static void lines_of_another_boot_are_not_taken(void **state)
{
	u64 written;

	(void)state;
	for (u32 i = 0; i < 1000; i++)
		put_number(i);
	written = ring.written;
	log_ring_init(&ring, BOOT + 1, false);
	ring.written = written;
	assert_true(log_ring_is_whole(&ring));
	log_reader_begin(&reader, &ring);
	assert_int_equal(lines_left(), 0);
}

static void a_header_that_is_not_ours_is_refused(void **state)
{
	struct log_ring good;

	(void)state;
	put("testudo[0]: one");
	good = ring;
	for (u32 bit = 0; bit < offsetof(struct log_ring, mark) * 8; bit++) {
		((u8 *)&ring)[bit / 8] ^= (u8)(1 << bit % 8);
		assert_false(log_ring_is_whole(&ring));
		((u8 *)&ring)[bit / 8] ^= (u8)(1 << bit % 8);
	}
	assert_memory_equal(&ring, &good, sizeof(ring));
	assert_true(log_ring_is_whole(&ring));
	memset(&ring, 0, sizeof(ring));
	assert_false(log_ring_is_whole(&ring));
	memset(&ring, 0xff, sizeof(ring));
	assert_false(log_ring_is_whole(&ring));
}

/* Whoever knows the format can make lines, but of no other characters and no greater length. */
static void noise_behind_a_good_header_yields_text_or_nothing(void **state)
{
	static const char few[8] = "\n\n ab\x80\xff";
	u64 seed = 1;

	(void)state;
	for (u32 round = 0; round < 60; round++) {
		log_ring_init(&ring, BOOT, false);
		for (u32 i = 0; i < round * 50; i++)
			put("0123456789012345678901234567890123456789");
		for (size_t i = 0; i < sizeof(ring.text); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			ring.text[i] = round % 2 ? few[seed >> 61] : (char)(seed >> 56);
		}
		log_reader_begin(&reader, &ring);
		while (log_reader_next(&reader, line)) {
			assert_true(strlen(line) < LOG_RING_LINE);
			for (const char *c = line; *c; c++)
				assert_true(*c >= ' ' && *c <= '~');
		}
	}
}

static void the_mark_is_where_the_end_began(void **state)
{
	struct log_extract extract;

	(void)state;
	for (u32 i = 0; i < 100; i++)
		put_number(i);
	extract = log_ring_extract(&ring, 5, 40, 60);
	assert_false(extract.marked);
	assert_int_equal(extract.first, 60);
	assert_int_equal(extract.lines, 40);
	assert_int_equal(extract.left, 0);

	log_ring_mark(&ring);
	for (u32 i = 100; i < 180; i++)
		put_number(i);
	log_ring_mark(&ring);
	extract = log_ring_extract(&ring, 5, 40, 60);
	assert_true(extract.marked);
	assert_int_equal(extract.first, 95);
	assert_int_equal(extract.lines, 60);
	assert_int_equal(extract.left, 25);
}

static void a_mark_may_come_first_or_be_damaged(void **state)
{
	struct log_extract extract;

	(void)state;
	log_ring_mark(&ring);
	put_number(0);
	extract = log_ring_extract(&ring, 5, 40, 60);
	assert_true(extract.marked);
	assert_int_equal(extract.first, 0);
	assert_int_equal(extract.lines, 1);
	ring.mark ^= BIT(40);
	assert_true(log_ring_is_whole(&ring));
	assert_false(log_ring_extract(&ring, 5, 40, 60).marked);

	/* A panic that filled the ring: its beginning is gone, what is left of it is all of the end. */
	for (u32 i = 0; i < 5000; i++)
		put_number(i);
	ring.mark = 0;
	log_ring_init(&ring, BOOT, false);
	log_ring_mark(&ring);
	for (u32 i = 0; i < 5000; i++)
		put_number(i);
	extract = log_ring_extract(&ring, 5, 40, 60);
	assert_true(extract.marked);
	assert_int_equal(extract.first, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_come_back_as_they_were, fresh),
		cmocka_unit_test_setup(a_dump_finds_it_by_its_signature, fresh),
		cmocka_unit_test_setup(only_printable_characters_are_kept, fresh),
		cmocka_unit_test_setup(a_full_ring_keeps_the_newest, fresh),
		cmocka_unit_test_setup(a_line_that_was_cut_off_by_a_reset_is_not_there, fresh),
		cmocka_unit_test_setup(a_damaged_line_is_left_out, fresh),
		cmocka_unit_test_setup(every_bit_is_checked, fresh),
		cmocka_unit_test_setup(lines_of_another_boot_are_not_taken, fresh),
		cmocka_unit_test_setup(a_header_that_is_not_ours_is_refused, fresh),
		cmocka_unit_test_setup(noise_behind_a_good_header_yields_text_or_nothing, fresh),
		cmocka_unit_test_setup(the_mark_is_where_the_end_began, fresh),
		cmocka_unit_test_setup(a_mark_may_come_first_or_be_damaged, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
