// SPDX-License-Identifier: MIT
/* What the parts of tools/pack.c share: the text, the choice of sequences, and the prefix code. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/uefi/unpack.h"

/* Literals, and a match; the last one may have length 0. */
struct sequence {
	uint32_t literals, length, distance;	/* distance 0: that of the match before */
};

struct sequences {
	struct sequence *list;
	size_t count;
};

/* One symbol's part of the code; 0 bits: it has none. */
struct code {
	uint32_t bits, value;
};

void fail(const char *why) __attribute__((noreturn));
void *get(size_t count, size_t each);

uint32_t symbol_of(struct sequence s);

/* The cheapest sequences that make the text, where a symbol costs price[symbol] bits. */
struct sequences parse(const uint8_t *text, size_t size, const uint32_t *price);

/* A code for symbols that come so often. At least two symbols get one. */
void make_codes(const uint32_t *often, struct code *codes);
