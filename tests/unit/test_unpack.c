/* SPDX-License-Identifier: MIT */
/*
 * The loader's unpacker: blocks written by hand, damaged ones of every length,
 * and what tools/pack.c makes, which must come back as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/uefi/unpack.h"

#define PACK "build/tools/pack"

static u8 out[70000];

#define BLOCK(...) ((const u8[]){ __VA_ARGS__ }), sizeof((const u8[]){ __VA_ARGS__ })

static void literals_come_as_they_are(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x30, 'a', 'b', 'c'), out, 3), 3);
	assert_memory_equal(out, "abc", 3);
}

static void a_match_repeats_what_was_made(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x40, 'a', 'b', 'c', 'd', 4, 0, 0x10, 'e'), out, sizeof(out)), 9);
	assert_memory_equal(out, "abcdabcde", 9);
}

static void a_match_may_reach_into_itself(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x23, 'a', 'b', 2, 0, 0x00), out, sizeof(out)), 9);
	assert_memory_equal(out, "ababababa", 9);
}

/* 15 + 255 + 1 literals of 'x', which come by a match: 1 + 19 + 255 + 2. */
static void long_lengths_go_on_in_bytes(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x1f, 'x', 1, 0, 255, 2, 0x00), out, sizeof(out)), 277);
	for (unsigned int i = 0; i < 277; i++)
		assert_int_equal(out[i], 'x');
}

static void no_match_from_before_the_beginning(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x10, 'a', 2, 0, 0x00), out, sizeof(out)), 0);
	assert_int_equal(unpack(BLOCK(0x10, 'a', 0, 0, 0x00), out, sizeof(out)), 0);
}

static void nothing_goes_beyond_the_room(void **state)
{
	(void)state;
	memset(out, 0x55, sizeof(out));
	assert_int_equal(unpack(BLOCK(0x30, 'a', 'b', 'c'), out, 2), 0);
	assert_int_equal(unpack(BLOCK(0x11, 'a', 1, 0, 0x00), out, 5), 0);
	assert_int_equal(out[5], 0x55);
}

/* Copies of exactly each length, so that a read beyond it is found. */
static void a_block_cut_short_is_damaged(void **state)
{
	static const u8 block[] = { 0x40, 'a', 'b', 'c', 'd', 4, 0, 0x1f, 'e', 1, 0, 255, 0, 0x10, 'z' };

	(void)state;
	assert_true(unpack(block, sizeof(block), out, sizeof(out)) > 0);
	for (u64 size = 0; size < sizeof(block); size++) {
		u8 *copy = malloc(size ? size : 1);

		memcpy(copy, block, size);
		/* After literals a block may end. */
		assert_int_equal(unpack(copy, size, out, sizeof(out)), size == 5 ? 4 : size == 9 ? 9 : 0);
		free(copy);
	}
}

static void pack_and_back(const u8 *text, u64 size)
{
	static u8 packed[80000];
	char name[] = "/tmp/test_unpack.XXXXXX", command[200], result[60];
	int handle = mkstemp(name);
	FILE *file = fdopen(handle, "wb");
	u64 length, stated = 0;

	fwrite(text, 1, size, file);
	fclose(file);
	snprintf(result, sizeof(result), "%s.packed", name);
	snprintf(command, sizeof(command), PACK " %s %s", name, result);
	assert_int_equal(system(command), 0);
	file = fopen(result, "rb");
	assert_non_null(file);
	length = fread(packed, 1, sizeof(packed), file);
	fclose(file);
	remove(name);
	remove(result);
	assert_true(length >= 8);
	memcpy(&stated, packed, 8);
	assert_int_equal(stated, size);
	memset(out, 0, sizeof(out));
	assert_int_equal(unpack(packed + 8, length - 8, out, size), size);
	assert_memory_equal(out, text, size);
}

static void what_is_packed_comes_back(void **state)
{
	static u8 text[sizeof(out)];

	(void)state;
	pack_and_back((const u8 *)"a", 1);
	pack_and_back(text, sizeof(text));	/* all alike */
	srand(1);
	for (unsigned int i = 0; i < sizeof(text); i++)
		text[i] = (u8)rand();
	pack_and_back(text, 20000);
	/* Words that come again, near and far. */
	for (unsigned int i = 0; i < sizeof(text); i++)
		text[i] = rand() % 50 ? text[(unsigned int)rand() % (i + 1) & ~7u] : (u8)(i % 7);
	for (unsigned int i = 300; i < sizeof(text); i += 100)
		memcpy(text + i, text + (unsigned int)rand() % (i - 90), 90);
	pack_and_back(text, sizeof(text) - 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_come_as_they_are),
		cmocka_unit_test(a_match_repeats_what_was_made),
		cmocka_unit_test(a_match_may_reach_into_itself),
		cmocka_unit_test(long_lengths_go_on_in_bytes),
		cmocka_unit_test(no_match_from_before_the_beginning),
		cmocka_unit_test(nothing_goes_beyond_the_room),
		cmocka_unit_test(a_block_cut_short_is_damaged),
		cmocka_unit_test(what_is_packed_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
