/* SPDX-License-Identifier: MIT */
/*
 * Unpacks the loader and the root kernel. They are packed (tools/pack.c) because disks are slow
 * before there is a driver of an operating system. Pure: bytes in, bytes out.
 *
 * A block is a series of sequences: literals, and a match in what was made so far. What a sequence is like, how many literals,
 * how long a match and how many bits of distance, is one symbol, in a prefix code of the block's own: so that one look in a table
 * tells all, and most sequences need no other. It has, little-endian,
 *
 *   4 bytes  where in the block its bytes begin: literals, and what continues lengths
 *   bits     the highest of a byte first: lengths of the codes, then each sequence's code and the bits of its distance below
 *            the highest one
 *   bytes    of each sequence in turn; 8 more than are used
 *
 * The lengths of codes are 4 bits each, by symbol; 0 is none, UNPACK_NONE says with 4 bits more how many have none. Codes are
 * canonical: the shorter ones first, of one length by symbol. A length that is UNPACK_LITERALS or UNPACK_LENGTH goes
 * on in bytes, each added, until one is not 255. The result's end ends the block.
 */
#pragma once

#include "arch/types.h"

#define UNPACK_CODE_BITS 12		/* of the longest code */
#define UNPACK_NONE 13			/* in place of a code's length */
#define UNPACK_NONE_SHORTEST 2
#define UNPACK_LITERALS 7		/* the largest number of literals in a symbol: more follow */
#define UNPACK_LENGTH 15		/* the same of a match's length, less the shortest one */
#define UNPACK_SHORTEST 2
#define UNPACK_DISTANCES 20		/* kinds: 0 is the distance of the match before, N one of N bits */

/* A symbol is made of three numbers. */
#define UNPACK_SYMBOL(literals, length, distance) (((u32)(distance) << 4 | (u32)(length)) << 3 | (u32)(literals))
#define UNPACK_SYMBOLS UNPACK_SYMBOL(0, 0, UNPACK_DISTANCES)

/*
 * One block, which makes `room` bytes. Returns how many it made, or 0 when the input is damaged or makes more; never
 * reads or writes outside.
 */
u64 unpack(const u8 *from, u64 size, u8 *to, u64 room);

/* Of two lengths that belong to the block: what the sum begins with. */
static inline u64 unpack_seed(u64 made, u64 first)
{
	return made ^ (first << 24 | first >> 40);
}

/*
 * Tells a damaged block from a whole one, which its sequences seldom do: of one that has a word changed it is always
 * another.
 */
static inline u64 unpack_sum(const u8 *from, u64 size, u64 seed)
{
	u64 sum = seed ^ size << 32, word;

	for (; size >= 8; from += 8, size -= 8) {
		__builtin_memcpy(&word, from, 8);
		sum = ((sum << 9 | sum >> 55) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	}
	for (word = 0; size; size--)
		word = word << 8 | from[size - 1];
	return ((sum << 9 | sum >> 55) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}
