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
