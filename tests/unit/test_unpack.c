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

/* A block by hand: symbols with codes, and what the sequences are made of. Bits from the highest down. */
static struct {
	u8 bits[4000], bytes[4000];
	u64 bit_count, byte_count;
} made_of;

static void bits(u64 value, unsigned int count)
{
	while (count--) {
		made_of.bits[made_of.bit_count / 8] |= (u8)((value >> count & 1) << (7 - made_of.bit_count % 8));
		made_of.bit_count++;
	}
}

static void byte(u8 value)
{
	made_of.bytes[made_of.byte_count++] = value;
}

static void letters(const char *from)
{
	while (*from)
		byte((u8)*from++);
}

static void none(u32 count)
{
	for (; count >= UNPACK_NONE_SHORTEST; count -= UNPACK_NONE_SHORTEST + (count < 17 ? count - UNPACK_NONE_SHORTEST : 15)) {
		bits(UNPACK_NONE, 4);
		bits(count < 17 ? count - UNPACK_NONE_SHORTEST : 15, 4);
	}
	if (count)
		bits(0, 4);
}

/* The symbols in ascending order, all with codes of so many bits; so a symbol's place is its code. */
static void begin(unsigned int code_bits, const u32 *symbol, unsigned int count)
{
	u32 next = 0;

	memset(&made_of, 0, sizeof(made_of));
	for (unsigned int i = 0; i < count; i++) {
		none(symbol[i] - next);
		bits(code_bits, 4);
		next = symbol[i] + 1;
	}
	none(UNPACK_SYMBOLS - next);
}

#define BEGIN(code_bits, ...) begin(code_bits, (const u32[]){ __VA_ARGS__ }, sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32))

/* The block, in memory that ends with it; the caller frees it. */
static u8 *block(u64 *size)
{
	const u64 bytes_at = 4 + (made_of.bit_count + 7) / 8;
	u8 *to;

	*size = bytes_at + made_of.byte_count + 8;
	to = calloc(*size, 1);
	assert_non_null(to);
	memcpy(to, &bytes_at, 4);
	memcpy(to + 4, made_of.bits, bytes_at - 4);
	memcpy(to + bytes_at, made_of.bytes, made_of.byte_count);
	return to;
}

static u64 unpacked(u64 room)
{
	u64 size, made;
	u8 *from = block(&size);

	made = unpack(from, size, out, room);
	free(from);
	return made;
}

static void literals_come_as_they_are(void **state)
{
	(void)state;
	BEGIN(1, UNPACK_SYMBOL(3, 0, 0), UNPACK_SYMBOL(4, 0, 0));
	bits(0, 1);
	letters("abc");
	assert_int_equal(unpacked(3), 3);
	assert_memory_equal(out, "abc", 3);
}

static void a_match_repeats_what_was_made(void **state)
{
	(void)state;
	/* "abcd", 4 more from 4 before, "e", 3 more from the same distance, and the end. */
	BEGIN(2, UNPACK_SYMBOL(0, 0, 0), UNPACK_SYMBOL(1, 1, 0), UNPACK_SYMBOL(4, 2, 3));
	bits(2, 2);
	bits(0, 2);
	letters("abcd");
	bits(1, 2);
	letters("e");
	assert_int_equal(unpacked(12), 12);
	assert_memory_equal(out, "abcdabcdebcd", 12);
}

static void a_match_may_reach_into_itself(void **state)
{
	(void)state;
	BEGIN(1, UNPACK_SYMBOL(0, 0, 0), UNPACK_SYMBOL(2, 5, 2));
	bits(1, 1);
	bits(0, 1);
	letters("ab");
	assert_int_equal(unpacked(9), 9);
	assert_memory_equal(out, "ababababa", 9);
}

static unsigned int bits_of(u64 distance)
{
	return 64 - (unsigned int)__builtin_clzll(distance);
}

/* Distances around 8 and lengths that end everywhere, with room behind and without. */
static void every_short_pattern_goes_on(void **state)
{
	(void)state;
	for (u64 distance = 1; distance <= 12; distance++)
		for (u8 more = 0; more < 40; more++)
			for (u64 rest = 0; rest < 20; rest++) {
				u64 length = 12u + UNPACK_SHORTEST + UNPACK_LENGTH + more;

				BEGIN(1, UNPACK_SYMBOL(7, 0, 0), UNPACK_SYMBOL(7, 15, bits_of(distance)));
				bits(1, 1);
				bits(distance, bits_of(distance) - 1);
				byte(12 - UNPACK_LITERALS);
				letters("abcdefghijkl");
				byte(more);
				bits(0, 1);
				byte((u8)(rest + 3));
				for (u64 i = 0; i < rest + 10; i++)
					byte('x');
				memset(out, 0x55, 200);
				assert_int_equal(unpacked(length + rest + 10), length + rest + 10);
				for (u64 i = 12; i < length; i++)
					assert_int_equal(out[i], out[i - distance]);
				for (u64 i = 0; i < rest + 10; i++)
					assert_int_equal(out[length + i], 'x');
				assert_int_equal(out[length + rest + 10], 0x55);
			}
}

/* 7 + 255 + 1 literals, and 255 + 2 more of a match than a symbol tells. */
static void long_lengths_go_on_in_bytes(void **state)
{
	const u64 literals = 7 + 255 + 1;

	(void)state;
	BEGIN(1, UNPACK_SYMBOL(7, 15, 9), UNPACK_SYMBOL(7, 15, 10));
	bits(0, 1);
	bits(257 & 255, 8);
	byte(255);
	byte(1);
	for (unsigned int i = 0; i < literals; i++)
		byte((u8)i);
	byte(255);
	byte(2);
	assert_int_equal(unpacked(literals + UNPACK_SHORTEST + 15 + 257), literals + UNPACK_SHORTEST + 15 + 257);
	for (unsigned int i = 0; i < literals; i++)
		assert_int_equal(out[i], (u8)i);
	for (unsigned int i = 0; i < 274; i++)
		assert_int_equal(out[literals + i], out[literals - 257 + i]);
}

/* A distance that reaches before what there is, of which kind ever; and once more none. Far from all ends, too. */
static void no_match_from_before_the_beginning(void **state)
{
	(void)state;
	for (unsigned int distance = 0; distance < UNPACK_DISTANCES; distance++)
		for (unsigned int far = 0; far < 2; far++) {
			if (distance)
				BEGIN(1, UNPACK_SYMBOL(7, 0, 0), UNPACK_SYMBOL(0, 0, distance));
			else
				BEGIN(1, UNPACK_SYMBOL(0, 0, 0), UNPACK_SYMBOL(7, 0, 0));
			bits(distance != 0, 1);
			for (unsigned int i = 0; i < 8 + far * 1000; i++) {
				bits(0, 8);
				byte('b');
			}
			assert_int_equal(unpacked(100), 0);
		}
}

static void nothing_goes_beyond_the_room(void **state)
{
	(void)state;
	BEGIN(1, UNPACK_SYMBOL(3, 0, 0), UNPACK_SYMBOL(1, 1, 1));
	bits(0, 1);
	letters("abc");
	memset(out, 0x55, 20);
	assert_int_equal(unpacked(2), 0);
	assert_int_equal(out[2], 0x55);
	BEGIN(1, UNPACK_SYMBOL(3, 0, 0), UNPACK_SYMBOL(1, 1, 1));
	bits(1, 1);
	letters("a");
	assert_int_equal(unpacked(3), 0);
	assert_int_equal(out[3], 0x55);
}

/* More codes than bits tell apart; a code that no symbol has; a length of a code that is too long; none beyond the last symbol. */
static void a_code_that_is_none_is_damaged(void **state)
{
	(void)state;
	BEGIN(1, 1, 2, 3);
	assert_int_equal(unpacked(1), 0);
	BEGIN(2, UNPACK_SYMBOL(1, 0, 0), UNPACK_SYMBOL(2, 0, 0));
	bits(3, 2);
	letters("abc");
	assert_int_equal(unpacked(1), 0);
	BEGIN(14, UNPACK_SYMBOL(1, 0, 0));
	bits(0, 64);
	letters("abc");
	assert_int_equal(unpacked(1), 0);
	memset(&made_of, 0, sizeof(made_of));
	for (unsigned int i = 0; i < UNPACK_SYMBOLS / 17 + 2; i++)
		bits(UNPACK_NONE << 4 | 15, 8);
	assert_int_equal(unpacked(1), 0);
}

/* Copies of exactly each length, so that a read beyond it is found. */
static void a_block_cut_short_is_damaged(void **state)
{
	u64 size;
	u8 *whole;

	(void)state;
	BEGIN(2, UNPACK_SYMBOL(0, 0, 0), UNPACK_SYMBOL(1, 15, 0), UNPACK_SYMBOL(4, 2, 3), UNPACK_SYMBOL(7, 0, 8));
	bits(2, 2);
	bits(0, 2);
	letters("abcd");
	bits(1, 2);
	letters("e");
	byte(255);
	byte(0);
	bits(3, 2);
	byte(1);
	letters("ijklmnop");
	bits(5, 7);
	bits(1, 2);
	letters("q");
	whole = block(&size);
	assert_int_equal(unpack(whole, size, out, 8 + 1 + 17 + 255 + 8 + 2 + 1), 292);
	for (u64 shorter = 0; shorter < size - 8; shorter++) {
		u8 *copy = malloc(shorter ? shorter : 1);

		memcpy(copy, whole, shorter);
		assert_int_equal(unpack(copy, shorter, out, 292), 0);
		free(copy);
	}
	free(whole);
}

/* Whatever the bytes say: no read and no write outside, which the sanitizers watch, and no more than the room. */
static void random_blocks_stay_inside(void **state)
{
	(void)state;
	srand(2);
	for (unsigned int turn = 0; turn < 20000; turn++) {
		u64 size, room = (u64)rand() % 400, made;
		u8 *from, *to = malloc(room + 1);

		/* A good code of 4 symbols, so that the sequences matter; in some turns one of chance. */
		if (turn % 8)
			BEGIN(2, (u32)rand() % 600, 600 + (u32)rand() % 600, 1200 + (u32)rand() % 600, 1800 + (u32)rand() % 600);
		else
			BEGIN((unsigned int)rand() % 16, (u32)rand() % 2000, 2001);
		for (unsigned int i = (unsigned int)rand() % 100; i; i--)
			bits((u64)rand(), 20);
		for (unsigned int i = (unsigned int)rand() % 400; i; i--)
			byte((u8)(rand() & (turn % 2 ? 255 : 0xb3)));
		from = block(&size);
		to[room] = 0x55;
		made = unpack(from, size, to, room);
		assert_true(made == 0 || made == room);
		assert_int_equal(to[room], 0x55);
		free(from);
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
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_true(unpack_seed(size, UINT64_C(1) << bit) != unpack_seed(size, 0));
}

/* Its length, that of a first file, the sum, and the block's length stand before the block. */
#define HEADER 32

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
	snprintf(command, sizeof(command), PACK " %s %s", result, name);
	assert_int_equal(system(command), 0);
	file = fopen(result, "rb");
	assert_non_null(file);
	length = fread(packed, 1, sizeof(packed), file);
	fclose(file);
	remove(name);
	remove(result);
	assert_true(length >= HEADER);
	memcpy(&stated, packed, 8);
	assert_int_equal(stated, size);
	memcpy(&stated, packed + 24, 8);
	assert_int_equal(stated, length - HEADER);
	memcpy(&sum, packed + 16, 8);
	assert_true(unpack_sum(packed + HEADER, length - HEADER, size) == sum);
	memset(out, 0, sizeof(out));
	assert_int_equal(unpack(packed + HEADER, length - HEADER, out, size), size);
	assert_memory_equal(out, text, size);
	damage_shows(packed + HEADER, length - HEADER, size, sum);
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
		cmocka_unit_test(a_code_that_is_none_is_damaged),
		cmocka_unit_test(a_block_cut_short_is_damaged),
		cmocka_unit_test(random_blocks_stay_inside),
		cmocka_unit_test(what_is_packed_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
