// SPDX-License-Identifier: MIT
/*
 * Makes a canonical prefix code of at most UNPACK_CODE_BITS bits: Huffman's lengths, those that are too long
 * cut, and what that took too much given back by others.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packing/packing.h"

enum { WHOLE = 1 << UNPACK_CODE_BITS };

struct node {
	uint64_t often;
	uint32_t symbol, parent;
};

/* The rarest first; of equals in the order of symbols, so that each machine sorts alike. */
static int rarer(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->often != y->often)
		return x->often < y->often ? -1 : 1;
	return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static uint32_t leaves(const uint32_t *often, struct node *nodes)
{
	uint32_t count = 0;

	for (uint32_t symbol = 0; symbol < UNPACK_SYMBOLS; symbol++)
		if (often[symbol])
			nodes[count++] = (struct node){ often[symbol], symbol, 0 };
	/* A code has two symbols at least. */
	for (uint32_t symbol = 0; count < 2; symbol++)
		if (!often[symbol])
			nodes[count++] = (struct node){ 1, symbol, 0 };
	qsort(nodes, count, sizeof *nodes, rarer);
	return count;
}

/* The two rarest become one, until one is left; leaves and what was made of them are two queues, each sorted. */
static void join(struct node *nodes, uint32_t count)
{
	uint32_t leaf = 0, inner = count;

	for (uint32_t made = count; made < 2 * count - 1; made++) {
		nodes[made] = (struct node){ 0, 0, 0 };
		for (unsigned int half = 0; half < 2; half++) {
			bool is_leaf = leaf < count && (inner == made || nodes[leaf].often <= nodes[inner].often);
			struct node *taken = &nodes[is_leaf ? leaf++ : inner++];

			nodes[made].often += taken->often;
			taken->parent = made;
		}
	}
}

static uint32_t room_of(uint32_t bits)
{
	return WHOLE >> bits;
}

/* The rarest are the first leaves. Longer codes for those that come least often, then shorter ones where that leaves room. */
static void limit(const struct node *nodes, uint32_t count, struct code *codes)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct code *code = &codes[nodes[i].symbol];

		if (code->bits > UNPACK_CODE_BITS)
			code->bits = UNPACK_CODE_BITS;
		used += room_of(code->bits);
	}
	for (uint32_t i = 0; used > WHOLE; i = (i + 1) % count) {
		struct code *code = &codes[nodes[i].symbol];

		while (used > WHOLE && code->bits < UNPACK_CODE_BITS)
			used -= room_of(++code->bits);
	}
	for (uint32_t i = count; i-- > 0;) {
		struct code *code = &codes[nodes[i].symbol];

		while (code->bits > 1 && used + room_of(code->bits) <= WHOLE)
			used += room_of(code->bits--);
	}
}

static void number(struct code *codes)
{
	uint32_t value = 0;

	for (uint32_t bits = 1; bits <= UNPACK_CODE_BITS; bits++, value <<= 1)
		for (uint32_t symbol = 0; symbol < UNPACK_SYMBOLS; symbol++)
			if (codes[symbol].bits == bits)
				codes[symbol].value = value++;
}

void make_codes(const uint32_t *often, struct code *codes)
{
	struct node *nodes = get(2 * UNPACK_SYMBOLS, sizeof *nodes);
	uint32_t count = leaves(often, nodes), *depth = get(2 * UNPACK_SYMBOLS, sizeof *depth);

	memset(codes, 0, UNPACK_SYMBOLS * sizeof *codes);
	join(nodes, count);
	for (uint32_t i = 2 * count - 2; i-- > 0;) {
		depth[i] = depth[nodes[i].parent] + 1;
		if (i < count)
			codes[nodes[i].symbol].bits = depth[i];
	}
	limit(nodes, count, codes);
	number(codes);
	free(nodes);
	free(depth);
}
