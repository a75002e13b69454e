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
	assert_int_equal(unpack(BLOCK(0x40, 'a', 'b', 'c', 'd', 3, 0, 0x10, 'e'), out, sizeof(out)), 9);
	assert_memory_equal(out, "abcdabcde", 9);
	assert_int_equal(unpack(BLOCK(0xc0, 'a', 'b', 'c', 'd', 3, 0x10, 'e'), out, sizeof(out)), 8);
	assert_memory_equal(out, "abcdabce", 8);
}

static void a_match_may_reach_into_itself(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x23, 'a', 'b', 1, 0, 0x00), out, sizeof(out)), 9);
	assert_memory_equal(out, "ababababa", 9);
}

/* Distances below 8 and lengths that end everywhere, with room behind and without. */
static void every_short_pattern_goes_on(void **state)
{
	(void)state;
	for (u8 distance = 1; distance <= 12; distance++)
		for (u8 more = 0; more < 40; more++) {
			const u8 token = UNPACK_NEAR | UNPACK_LITERALS << UNPACK_LITERALS_SHIFT | UNPACK_LENGTH;
			u8 block[20] = { token, 12 - UNPACK_LITERALS };
			u64 length = 12u + UNPACK_SHORTEST_NEAR + UNPACK_LENGTH + more;

			memcpy(block + 2, "abcdefghijkl", 12);
			block[14] = distance - 1;
			block[15] = more;
			for (u64 room = length; room < length + 20; room++) {
				memset(out, 0x55, 100);
				assert_int_equal(unpack(block, 17, out, room), length);
				for (u64 i = 12; i < length; i++)
					assert_int_equal(out[i], out[i - distance]);
				assert_int_equal(out[room], 0x55);
			}
		}
}

/* 7 + 255 + 1 literals, and 255 + 2 more of a match than a token tells. */
static void long_lengths_go_on_in_bytes(void **state)
{
	u8 block[400] = { UNPACK_LITERALS << UNPACK_LITERALS_SHIFT | UNPACK_LENGTH, 255, 1 };
	const u64 literals = 7 + 255 + 1;

	(void)state;
	for (unsigned int i = 0; i < literals; i++)
		block[3 + i] = (u8)i;
	memcpy(block + 3 + literals, (u8[]){ 0, 1, 255, 2, 0 }, 5);
	assert_int_equal(unpack(block, 3 + literals + 5, out, sizeof(out)), literals + UNPACK_SHORTEST_FAR + 15 + 255 + 2);
	for (unsigned int i = 0; i < literals; i++)
		assert_int_equal(out[i], (u8)i);
	for (unsigned int i = 0; i < 276; i++)
		assert_int_equal(out[literals + i], out[literals - 257 + i]);
}

static void no_match_from_before_the_beginning(void **state)
{
	(void)state;
	assert_int_equal(unpack(BLOCK(0x10, 'a', 1, 0, 0x00), out, sizeof(out)), 0);
	assert_int_equal(unpack(BLOCK(0x90, 'a', 1, 0x00), out, sizeof(out)), 0);
	assert_int_equal(unpack(BLOCK(0x10, 'a', 0, 1, 0x00), out, sizeof(out)), 0);
}

static void nothing_goes_beyond_the_room(void **state)
{
	(void)state;
	memset(out, 0x55, sizeof(out));
	assert_int_equal(unpack(BLOCK(0x30, 'a', 'b', 'c'), out, 2), 0);
	assert_int_equal(unpack(BLOCK(0x11, 'a', 0, 0, 0x00), out, 5), 0);
	assert_int_equal(out[5], 0x55);
}

/* Copies of exactly each length, so that a read beyond it is found. */
static void a_block_cut_short_is_damaged(void **state)
{
	static const u8 block[] = { 0x40, 'a', 'b', 'c', 'd', 3, 0, 0x1f, 'e', 0, 0, 255, 0, 0x10, 'z' };

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

/* Whatever the bytes say: no read and no write outside, which the sanitizers watch, and no more than the room. */
static void random_blocks_stay_inside(void **state)
{
	(void)state;
	srand(2);
	for (unsigned int turn = 0; turn < 20000; turn++) {
		u64 size = (u64)rand() % 200, room = (u64)rand() % 400;
		u8 *block = malloc(size + 1), *to = malloc(room + 1);

		for (u64 i = 0; i < size; i++)
			block[i] = (u8)(rand() & (turn % 2 ? 255 : 0xb3));
		to[room] = 0x55;
		assert_true(unpack(block, size, to, room) <= room);
		assert_int_equal(to[room], 0x55);
		free(block);
		free(to);
	}
}

/* A bit, a sector of zeros, a length: in most places the block can be unpacked all the same. */
static void damage_shows(u8 *packed, u64 length, u64 size, u64 sum)
{
	static const u8 zeros[512];
	u8 kept[512];

	for (u64 i = 0; i < length; i += 1 + length / 500) {
		packed[i] ^= (u8)(1u << i % 8);
		assert_true(unpack_sum(packed, length, size) != sum);
		packed[i] ^= (u8)(1u << i % 8);
	}
	for (u64 i = 0; i + 512 <= length; i += 512) {
		memcpy(kept, packed + i, 512);
		memcpy(packed + i, zeros, 512);
		assert_true(unpack_sum(packed, length, size) != sum || memcmp(kept, zeros, 512) == 0);
		memcpy(packed + i, kept, 512);
	}
	assert_true(unpack_sum(packed, length - 1, size) != sum);
	assert_true(unpack_sum(packed, length, size + 1) != sum);
}

static void pack_and_back(const u8 *text, u64 size)
{
	static u8 packed[80000];
	char name[] = "/tmp/test_unpack.XXXXXX", command[200], result[60];
	int handle = mkstemp(name);
	FILE *file = fdopen(handle, "wb");
	u64 length, stated = 0, sum = 0;

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
	assert_true(length >= 16);
	memcpy(&stated, packed, 8);
	assert_int_equal(stated, size);
	memcpy(&sum, packed + 8, 8);
	assert_true(unpack_sum(packed + 16, length - 16, size) == sum);
	memset(out, 0, sizeof(out));
	assert_int_equal(unpack(packed + 16, length - 16, out, size), size);
	assert_memory_equal(out, text, size);
	damage_shows(packed + 16, length - 16, size, sum);
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
		cmocka_unit_test(every_short_pattern_goes_on),
		cmocka_unit_test(long_lengths_go_on_in_bytes),
		cmocka_unit_test(no_match_from_before_the_beginning),
		cmocka_unit_test(nothing_goes_beyond_the_room),
		cmocka_unit_test(a_block_cut_short_is_damaged),
		cmocka_unit_test(random_blocks_stay_inside),
		cmocka_unit_test(what_is_packed_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
