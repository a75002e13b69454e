/* SPDX-License-Identifier: MIT */
/*
 * Unpacks the root kernel. It is packed (tools/pack.c) because disks are slow
 * before there is a driver of an operating system. Pure: bytes in, bytes out.
 *
 * The format is much like LZ4's, with matches from near that take a byte less. A block is a
 * series of sequences: a token, literals, and a match in what was made so far, that is its
 * distance less 1 in one byte or two and its length. The token has the two lengths; where all
 * bits of one are set, bytes continue it, each added, until one is not 255. The last sequence
 * has no match.
 */
#pragma once

#include "arch/types.h"

#define UNPACK_NEAR 0x80		/* of the token: one byte of distance */
#define UNPACK_LITERALS_SHIFT 4
#define UNPACK_LITERALS 7		/* the largest number of literals in a token: more follow */
#define UNPACK_LENGTH 15		/* the same of a match's length, less the shortest one */
#define UNPACK_SHORTEST_NEAR 3
#define UNPACK_SHORTEST_FAR 4

/*
 * One block. Returns how many bytes it made, or 0 when
 * the input is damaged or would fill more than `room`; never reads or writes outside.
 */
u64 unpack(const u8 *from, u64 size, u8 *to, u64 room);

/*
 * Tells a damaged block from a whole one, which its sequences seldom do: of one that has a word changed it is always
 * another. `made` is what the block makes.
 */
static inline u64 unpack_sum(const u8 *from, u64 size, u64 made)
{
	u64 sum = made ^ size << 32, word;

	for (; size >= 8; from += 8, size -= 8) {
		__builtin_memcpy(&word, from, 8);
		sum = ((sum << 9 | sum >> 55) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	}
	for (word = 0; size; size--)
		word = word << 8 | from[size - 1];
	return ((sum << 9 | sum >> 55) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}
