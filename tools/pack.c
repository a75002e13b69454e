// SPDX-License-Identifier: MIT
/*
 * pack FROM TO: packs a file for boot/uefi/unpack.c: its length in 8 bytes, then one block of the LZ4 block format.
 *
 * Works backwards: the price of the rest of the file from each position on is that of a literal there, or of a match and what follows it.
 * Must give the same bytes for the same file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORTEST = 4, FARTHEST = 65535, LAST_LITERALS = 5, LAST_MATCH = 12, TRIES = 128, LONG_ENOUGH = 256, HASH_BITS = 16 };

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
	uint32_t *last = get(1u << HASH_BITS, sizeof *last), word;

	earlier = get(size, sizeof *earlier);
	for (size_t i = 0; i + SHORTEST <= size; i++) {
		memcpy(&word, text + i, sizeof word);
		word = word * 2654435761u >> (32 - HASH_BITS);
		earlier[i] = last[word];
		last[word] = (uint32_t)i + 1;
	}
	free(last);
}

static uint32_t same(size_t a, size_t b, size_t limit)
{
	uint32_t n = 0;

	while (b + n < limit && text[a + n] == text[b + n])
		n++;
	return n;
}

/* Token, offset, and the bytes of a long length. A run of literals shares its token with the match behind it. */
static uint32_t match_price(uint32_t length)
{
	return 3 + (length >= SHORTEST + 15 ? 1 + (length - SHORTEST - 15) / 255 : 0);
}

static void choose_at(size_t i)
{
	struct choice *c = &best[i];
	uint32_t longest = SHORTEST - 1;
	int tries = TRIES;

	*c = (struct choice){ best[i + 1].price + 1, 0, 0 };
	if (i + LAST_MATCH > size)
		return;
	for (uint32_t next = earlier[i]; next && i - (next - 1) <= FARTHEST && longest < LONG_ENOUGH && tries--; next = earlier[next - 1]) {
		uint32_t length = same(next - 1, i, size - LAST_LITERALS);

		for (; longest < length; longest++) {
			uint32_t price = match_price(longest + 1) + best[i + longest + 1].price;

			if (longest + 1 >= SHORTEST && price <= c->price)
				*c = (struct choice){ price, longest + 1, (uint32_t)(i - (next - 1)) };
		}
	}
}

static void put_length(FILE *file, uint32_t length)
{
	if (length < 15)
		return;
	for (length -= 15; length >= 255; length -= 255)
		putc(255, file);
	putc((int)length, file);
}

static void put_sequence(FILE *file, size_t from, uint32_t literals, struct choice match)
{
	uint32_t more = match.length ? match.length - SHORTEST : 0;

	putc((int)((literals < 15 ? literals : 15) << 4 | (more < 15 ? more : 15)), file);
	put_length(file, literals);
	fwrite(text + from, 1, literals, file);
	if (!match.length)
		return;
	putc((int)(match.offset & 255), file);
	putc((int)(match.offset >> 8), file);
	put_length(file, more);
}

static void write_file(const char *name)
{
	FILE *file = fopen(name, "wb");
	size_t from = 0, i = 0;

	if (!file)
		fail("cannot write the file");
	for (unsigned int byte = 0; byte < 8; byte++)
		putc((int)((uint64_t)size >> (8 * byte) & 255), file);
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
