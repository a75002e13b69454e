// SPDX-License-Identifier: MIT
/*
 * pack TO FILE...: packs files, one behind the other, for boot/uefi/unpack.c, as boot/uefi/packed.h describes it: the length of
 * all, that of the first if there are more, the block's sum and its length, 8 bytes each, and the block of the format that unpack.h tells.
 *
 * What a sequence costs is known only when the code is made, and the code when the sequences are chosen: so each in turn, some times.
 * Must give the same bytes for the same files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packing/packing.h"

enum { ROUNDS = 4, SLACK = 8, HEADER = 32 };

/* Grows at its end; bits from the highest of a byte down. */
struct output {
	uint8_t *bytes;
	size_t count;
	unsigned int bits;	/* of the last byte that are used; 0: all */
};

static uint8_t *text;
static size_t size, first_size;

void fail(const char *why)
{
	fprintf(stderr, "pack: %s\n", why);
	exit(1);
}

void *get(size_t count, size_t each)
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
	text = realloc(text, size + (size_t)end + 1);
	if (!text)
		fail("out of memory");
	if (fread(text + size, 1, (size_t)end, file) != (size_t)end)
		fail("cannot read the file");
	size += (size_t)end;
	fclose(file);
}

static void put_byte(struct output *out, uint32_t byte)
{
	out->bytes[out->count++] = (uint8_t)byte;
}

static void put_bits(struct output *out, uint32_t value, uint32_t count)
{
	while (count--) {
		if (!out->bits)
			put_byte(out, 0);
		out->bits = (out->bits + 1) % 8;
		out->bytes[out->count - 1] |= (uint8_t)((value >> count & 1) << (8 - out->bits) % 8);
	}
}

static void put_word(struct output *out, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		put_byte(out, value >> (8 * i) & 255);
}

static void put_rest(struct output *out, uint32_t length, uint32_t in_symbol)
{
	if (length < in_symbol)
		return;
	for (length -= in_symbol; length >= 255; length -= 255)
		put_byte(out, 255);
	put_byte(out, length);
}

static void put_codes(struct output *out, const struct code *codes)
{
	for (uint32_t symbol = 0; symbol < UNPACK_SYMBOLS; symbol++) {
		uint32_t none = 0;

		while (symbol + none < UNPACK_SYMBOLS && none < UNPACK_NONE_SHORTEST + 15 && !codes[symbol + none].bits)
			none++;
		if (none < UNPACK_NONE_SHORTEST) {
			put_bits(out, codes[symbol].bits, 4);
			continue;
		}
		put_bits(out, UNPACK_NONE, 4);
		put_bits(out, none - UNPACK_NONE_SHORTEST, 4);
		symbol += none - 1;
	}
}

static void put_sequence(struct output *bits, struct output *bytes, const struct code *codes, struct sequence s, size_t at)
{
	const struct code *code = &codes[symbol_of(s)];

	put_bits(bits, code->value, code->bits);
	if (s.distance)
		put_bits(bits, s.distance, 31 - (uint32_t)__builtin_clz(s.distance));
	put_rest(bytes, s.literals, UNPACK_LITERALS);
	for (uint32_t i = 0; i < s.literals; i++)
		put_byte(bytes, text[at + i]);
	if (s.length)
		put_rest(bytes, s.length - UNPACK_SHORTEST, UNPACK_LENGTH);
}

static struct output new_output(void)
{
	return (struct output){ get(2 * size + 4096, 1), 0, 0 };
}

static struct output make_block(const struct code *codes, struct sequences found)
{
	struct output out = new_output(), bytes = new_output();
	size_t at = 0, bytes_at;

	put_word(&out, 0, 4);
	put_codes(&out, codes);
	for (size_t i = 0; i < found.count; at += found.list[i].literals + found.list[i].length, i++)
		if (found.list[i].literals || found.list[i].length)
			put_sequence(&out, &bytes, codes, found.list[i], at);
	bytes_at = out.count;
	memcpy(out.bytes + out.count, bytes.bytes, bytes.count);
	out.count = 0;
	put_word(&out, bytes_at, 4);
	out.count = bytes_at + bytes.count + SLACK;
	free(bytes.bytes);
	return out;
}

/* A code that came of the choice before is what the next one is made by. The best block counts, not the last. */
static struct output pack(void)
{
	uint32_t *price = get(UNPACK_SYMBOLS, sizeof *price), *often = get(UNPACK_SYMBOLS, sizeof *often);
	struct code *codes = get(UNPACK_SYMBOLS, sizeof *codes);
	struct output best = { NULL, 0, 0 };

	for (uint32_t symbol = 0; symbol < UNPACK_SYMBOLS; symbol++)
		price[symbol] = UNPACK_CODE_BITS - 3;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct sequences found = parse(text, size, price);
		struct output block;

		memset(often, 0, UNPACK_SYMBOLS * sizeof *often);
		for (size_t i = 0; i < found.count; i++)
			often[symbol_of(found.list[i])] += found.list[i].literals || found.list[i].length;
		make_codes(often, codes);
		block = make_block(codes, found);
		free(found.list);
		if (!best.bytes || block.count < best.count) {
			free(best.bytes);
			best = block;
		} else {
			free(block.bytes);
		}
		for (uint32_t symbol = 0; symbol < UNPACK_SYMBOLS; symbol++)
			price[symbol] = codes[symbol].bits ? codes[symbol].bits : UNPACK_CODE_BITS + 2;
	}
	free(price);
	free(often);
	free(codes);
	return best;
}

static void write_file(const char *name, const struct output *block)
{
	struct output header = { get(HEADER, 1), 0, 0 };
	FILE *file = fopen(name, "wb");

	put_word(&header, size, 8);
	put_word(&header, first_size, 8);
	put_word(&header, unpack_sum(block->bytes, block->count, unpack_seed(size, first_size)), 8);
	put_word(&header, block->count, 8);
	if (!file || fwrite(header.bytes, 1, header.count, file) != header.count ||
	    fwrite(block->bytes, 1, block->count, file) != block->count || fclose(file))
		fail("cannot write the file");
	free(header.bytes);
}

int main(int argc, char **argv)
{
	struct output block;

	if (argc < 3)
		fail("usage: pack TO FILE...");
	for (int i = 2; i < argc; i++) {
		if (i == 3)
			first_size = size;
		read_file(argv[i]);
	}
	if (size > UINT32_MAX / 2)
		fail("the files are too long");
	block = pack();
	write_file(argv[1], &block);
	free(block.bytes);
	free(text);
	return 0;
}
