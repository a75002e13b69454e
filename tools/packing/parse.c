// SPDX-License-Identifier: MIT
/*
 * Chooses literals and matches: the cheapest way to each position, by what a sequence costs. As what it costs hangs on how many literals
 * stand before a match, and on the distance of the match before, the best few ways to a position are kept.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packing/packing.h"

enum { WAYS = 6, TRIES = 2000, LONG_ENOUGH = 300, LONGEST = 1000, FARTHEST = 1 << 18, FOUND = LONG_ENOUGH + 1, NEVER = 1 << 30, BYTE = 8 };
/* In bits: what a sequence's instructions are worth. */
enum { TROUBLE = 5 };

/* One way to a position: how the last step came here. */
struct way {
	uint32_t cost, literals, distance;	/* the pending literals, UNPACK_LITERALS at most; the last match's distance */
	uint32_t from, from_way, length, used;	/* length 0: a literal; used: the match's distance, 0 for once more */
};

struct match {
	uint32_t length, distance;
};

struct search {
	const uint8_t *text;
	size_t size;
	uint32_t *pair, *triple;	/* the last position before with the same bytes, plus 1 */
	struct way (*ways)[WAYS];
	const uint32_t *price;
};

static uint32_t bits_of(uint32_t distance)
{
	return 32 - (uint32_t)__builtin_clz(distance);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

uint32_t symbol_of(struct sequence s)
{
	uint32_t more = s.length ? s.length - UNPACK_SHORTEST : 0;

	return UNPACK_SYMBOL(at_most(s.literals, UNPACK_LITERALS), at_most(more, UNPACK_LENGTH), s.distance ? bits_of(s.distance) : 0);
}

static void link_positions(struct search *s)
{
	uint32_t *last2 = get(1 << 16, sizeof *last2), *last3 = get(1 << 24, sizeof *last3);

	s->pair = get(s->size, sizeof *s->pair);
	s->triple = get(s->size, sizeof *s->triple);
	for (size_t i = 0; i + 2 <= s->size; i++) {
		uint32_t word = s->text[i] | (uint32_t)s->text[i + 1] << 8;

		s->pair[i] = last2[word];
		last2[word] = (uint32_t)i + 1;
		if (i + 3 > s->size)
			continue;
		word |= (uint32_t)s->text[i + 2] << 16;
		s->triple[i] = last3[word];
		last3[word] = (uint32_t)i + 1;
	}
	free(last2);
	free(last3);
}

static uint32_t same(const struct search *s, size_t a, size_t b)
{
	uint32_t n = 0;

	while (b + n < s->size && n < LONGEST && s->text[a + n] == s->text[b + n])
		n++;
	return n;
}

/* Keeps the way if it is among the best to its end; of two that are as good for all that follows only one. */
static void offer(struct search *s, size_t end, struct way way)
{
	struct way *ways = s->ways[end];
	unsigned int place = WAYS - 1;

	for (unsigned int i = 0; i < WAYS && ways[i].cost < NEVER; i++)
		if (ways[i].literals == way.literals && ways[i].distance == way.distance) {
			place = i;
			break;
		}
	if (way.cost >= ways[place].cost)
		return;
	for (; place && ways[place - 1].cost > way.cost; place--)
		ways[place] = ways[place - 1];
	ways[place] = way;
}

static void offer_match(struct search *s, size_t at, uint32_t number, uint32_t length, uint32_t used)
{
	const struct way *way = &s->ways[at][number];
	struct sequence sequence = { way->literals, length, used };
	uint32_t more = length - UNPACK_SHORTEST, cost = way->cost + TROUBLE + s->price[symbol_of(sequence)];

	if (used)
		cost += bits_of(used) - 1;
	if (more >= UNPACK_LENGTH)
		cost += BYTE + BYTE * ((more - UNPACK_LENGTH) / 255);
	offer(s, at + length, (struct way){ cost, 0, used ? used : way->distance, (uint32_t)at, number, length, used });
}

/* Takes the match at `place` (plus 1) if it is longer than those found. False: that is enough. */
static bool take(const struct search *s, size_t i, uint32_t place, struct match *found, unsigned int *count)
{
	uint32_t best = *count ? found[*count - 1].length : UNPACK_SHORTEST - 1, length;

	if (!place || i - (place - 1) >= FARTHEST || best > LONG_ENOUGH || i + best >= s->size)
		return false;
	if (s->text[place - 1 + best] != s->text[i + best])
		return true;
	length = same(s, place - 1, i);
	if (length > best)
		found[(*count)++] = (struct match){ length, (uint32_t)(i - (place - 1)) };
	return true;
}

/* The nearest of the matches of each length; very long ones are taken whole. */
static unsigned int find_matches(const struct search *s, size_t i, struct match *found)
{
	unsigned int count = 0, tries = TRIES;

	take(s, i, s->pair[i], found, &count);
	for (uint32_t place = s->triple[i]; tries && take(s, i, place, found, &count); place = s->triple[place - 1])
		tries--;
	return count;
}

static void go_on_from(struct search *s, size_t i)
{
	struct match found[FOUND + 1];
	unsigned int count = find_matches(s, i, found);

	for (uint32_t number = 0; number < WAYS && s->ways[i][number].cost < NEVER; number++) {
		const struct way way = s->ways[i][number];
		uint32_t length = UNPACK_SHORTEST, again = way.distance ? same(s, i - way.distance, i) : 0;

		offer(s, i + 1, (struct way){ way.cost + (way.literals + 1 == UNPACK_LITERALS ? 2 * BYTE : BYTE),
					      at_most(way.literals + 1, UNPACK_LITERALS), way.distance, (uint32_t)i, number, 0, 0 });
		for (unsigned int m = 0; m < count; m++) {
			if (found[m].length > LONG_ENOUGH)
				length = found[m].length;
			for (; length <= found[m].length; length++)
				offer_match(s, i, number, length, found[m].distance);
		}
		for (length = again > LONG_ENOUGH ? again : UNPACK_SHORTEST; length <= again; length++)
			offer_match(s, i, number, length, 0);
	}
}

/* Backwards along the ways: literals belong to what was listed before them. The first of the list, the text's last, has no match. */
static struct sequences gather(const struct search *s)
{
	struct sequences out = { get(s->size + 1, sizeof(struct sequence)), 1 };
	uint32_t at = (uint32_t)s->size, number = 0;

	while (at) {
		const struct way *way = &s->ways[at][number];

		if (way->length)
			out.list[out.count++] = (struct sequence){ 0, way->length, way->used };
		else
			out.list[out.count - 1].literals++;
		at = way->from;
		number = way->from_way;
	}
	for (size_t i = 0; i < out.count / 2; i++) {
		struct sequence other = out.list[i];

		out.list[i] = out.list[out.count - 1 - i];
		out.list[out.count - 1 - i] = other;
	}
	return out;
}

struct sequences parse(const uint8_t *text, size_t size, const uint32_t *price)
{
	struct search s = { .text = text, .size = size, .price = price, .ways = get(size + 1, sizeof *s.ways) };
	struct sequences out;

	link_positions(&s);
	for (size_t i = 0; i <= size; i++)
		for (unsigned int way = 0; way < WAYS; way++)
			s.ways[i][way].cost = NEVER;
	s.ways[0][0].cost = 0;
	for (size_t i = 0; i < size; i++)
		go_on_from(&s, i);
	out = gather(&s);
	free(s.ways);
	free(s.pair);
	free(s.triple);
	return out;
}
