// SPDX-License-Identifier: MIT
/*
 * pack FROM TO: packs a file for boot/uefi/unpack.c: its length and the block's sum in 8 bytes each, then one block of the format that the
 * header there tells.
 *
 * Works backwards: the price of the rest of the file from each position on is that of a literal there, or of a match and what follows it.
 * Must give the same bytes for the same file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/uefi/unpack.h"

enum { NEAR = 256, FARTHEST = 65536, TRIES = 512, LONG_ENOUGH = 256, HASH_BITS = 16 };

struct choice {
	uint32_t price;		 /* of everything from here on */
	uint32_t length, offset; /* length 0: a literal */
};

static uint8_t *text;
static size_t size;
static uint32_t *earlier;	/* the last position before this one with the same hash, plus 1 */
static struct choice *best;

static void fail(const char *why)
{
	fprintf(stderr, "pack: %s\n", why);
	exit(1);
}

static void *get(size_t count, size_t each)
{
	void *memory = calloc(count + 1, each);

	if (!memory)
		fail("out of memory");
	return memory;
}

static void read_file(const char *name)
{
	FILE *file = fopen(name, "rb");
	long end = 0;

	if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
		fail("cannot read the file");
	size = (size_t)end;
	text = get(size, 1);
	if (fread(text, 1, size, file) != size)
		fail("cannot read the file");
	fclose(file);
}

static void link_positions(void)
{
	uint32_t *last = get(1u << HASH_BITS, sizeof *last);

	earlier = get(size, sizeof *earlier);
	for (size_t i = 0; i + UNPACK_SHORTEST_NEAR <= size; i++) {
		uint32_t word = text[i] | (uint32_t)text[i + 1] << 8 | (uint32_t)text[i + 2] << 16;

		word = word * 2654435761u >> (32 - HASH_BITS);
		earlier[i] = last[word];
		last[word] = (uint32_t)i + 1;
	}
	free(last);
}

static uint32_t same(size_t a, size_t b)
{
	uint32_t n = 0;

	while (b + n < size && text[a + n] == text[b + n])
		n++;
	return n;
}

static uint32_t shortest(uint32_t offset)
{
	return offset <= NEAR ? UNPACK_SHORTEST_NEAR : UNPACK_SHORTEST_FAR;
}

/* Token, offset, and the bytes of a long length. A run of literals shares its token with the match behind it. */
static uint32_t match_price(uint32_t length, uint32_t offset)
{
	uint32_t more = length - shortest(offset), price = offset <= NEAR ? 2 : 3;

	return more < UNPACK_LENGTH ? price : price + 1 + (more - UNPACK_LENGTH) / 255;
}

/* The nearest of the matches of each length: the search begins there, and the next one has to be longer. */
static void choose_at(size_t i)
{
	struct choice *c = &best[i];
	uint32_t longest = UNPACK_SHORTEST_NEAR - 1;
	int tries = TRIES;

	*c = (struct choice){ best[i + 1].price + 1, 0, 0 };
	/* The last sequence is one of literals. */
	if (i + 1 == size)
		return;
	for (uint32_t next = earlier[i]; next && i - (next - 1) <= FARTHEST && longest < LONG_ENOUGH && tries--; next = earlier[next - 1]) {
		uint32_t length = same(next - 1, i), offset = (uint32_t)(i - (next - 1));

		if (i + length == size)
			length--;
		for (; longest < length; longest++) {
			uint32_t price;

			if (longest + 1 < shortest(offset))
				continue;
			price = match_price(longest + 1, offset) + best[i + longest + 1].price;
			if (price <= c->price)
				*c = (struct choice){ price, longest + 1, offset };
		}
	}
}

static void put_rest(FILE *file, uint32_t length, uint32_t in_token)
{
	if (length < in_token)
		return;
	for (length -= in_token; length >= 255; length -= 255)
		putc(255, file);
	putc((int)length, file);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

static void put_sequence(FILE *file, size_t from, uint32_t literals, struct choice match)
{
	uint32_t more = match.length ? match.length - shortest(match.offset) : 0, offset = match.offset - 1;

	putc((int)((match.length && match.offset <= NEAR ? UNPACK_NEAR : 0) |
		   at_most(literals, UNPACK_LITERALS) << UNPACK_LITERALS_SHIFT | at_most(more, UNPACK_LENGTH)), file);
	put_rest(file, literals, UNPACK_LITERALS);
	fwrite(text + from, 1, literals, file);
	if (!match.length)
		return;
	putc((int)(offset & 255), file);
	if (match.offset > NEAR)
		putc((int)(offset >> 8), file);
	put_rest(file, more, UNPACK_LENGTH);
}

static void put_word(FILE *file, uint64_t value)
{
	for (unsigned int byte = 0; byte < 8; byte++)
		putc((int)(value >> (8 * byte) & 255), file);
}

/* Behind the two words stands the block. */
static void put_sum(FILE *file)
{
	long length = ftell(file) - 16;
	uint8_t *block = get((size_t)length, 1);

	if (fseek(file, 16, SEEK_SET) || fread(block, 1, (size_t)length, file) != (size_t)length || fseek(file, 8, SEEK_SET))
		fail("cannot read the file again");
	put_word(file, unpack_sum(block, (uint64_t)length, size));
	free(block);
}

static void write_file(const char *name)
{
	FILE *file = fopen(name, "w+b");
	size_t from = 0, i = 0;

	if (!file)
		fail("cannot write the file");
	put_word(file, size);
	put_word(file, 0);
	while (i < size) {
		if (!best[i].length) {
			i++;
			continue;
		}
		put_sequence(file, from, (uint32_t)(i - from), best[i]);
		i += best[i].length;
		from = i;
	}
	put_sequence(file, from, (uint32_t)(i - from), (struct choice){ 0, 0, 0 });
	put_sum(file);
	if (ferror(file) || fclose(file))
		fail("cannot write the file");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		fail("usage: pack FROM TO");
	read_file(argv[1]);
	link_positions();
	best = get(size + 1, sizeof *best);
	for (size_t i = size; i-- > 0;)
		choose_at(i);
	write_file(argv[2]);
	return 0;
}
