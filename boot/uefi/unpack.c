/* SPDX-License-Identifier: MIT */
/*
 * The LZ4 block format: sequences of a token, literals, and a match in what was
 * made so far. The token has the two lengths in 4 bits each; 15 is continued by
 * bytes, each added, until one is not 255. The last sequence has no match.
 */
#include "boot/uefi/unpack.h"

#define LONG_LENGTH 15
#define SHORTEST_MATCH 4

struct input {
	const u8 *at, *end;
	bool damaged;
};

static inline u32 next_byte(struct input *in)
{
	if (in->at < in->end)
		return *in->at++;
	in->damaged = true;
	return 0;
}

static inline u64 read_length(struct input *in, u64 length)
{
	u32 more = 255;

	if (length == LONG_LENGTH)
		for (; more == 255; length += more)
			more = next_byte(in);
	return length;
}

static inline void copy_8(u8 *to, const u8 *from)
{
	__builtin_memcpy(to, from, 8);
}

/*
 * Most pieces are short, so 8 bytes at a time, and up to 7 more than asked for
 * where there is room. A match may reach into what it makes itself: then its
 * beginning comes again and again.
 */
static inline void copy(u8 *to, const u8 *from, u64 length, bool has_room)
{
	if (!has_room) {
		for (u64 i = 0; i < length; i++)
			to[i] = from[i];
		return;
	}
	for (u64 i = 0; i < length; i += 8)
		copy_8(to + i, from + i);
}

/* Short sequences, as nearly all are, while both ends are far; the rest is for the careful loop. Returns what is made. */
static u64 unpack_short(struct input *in, u8 *to, u64 made, u64 room)
{
	while (in->end - in->at >= 32 && room - made >= 64) {
		u32 token = in->at[0], literals = token >> 4, length = (token & LONG_LENGTH) + SHORTEST_MATCH, offset;
		u8 *match;

		if (literals == LONG_LENGTH || length == LONG_LENGTH + SHORTEST_MATCH)
			break;
		copy_8(to + made, in->at + 1);
		copy_8(to + made + 8, in->at + 9);
		offset = in->at[literals + 1] | (u32)in->at[literals + 2] << 8;
		if (offset < 8 || offset > made + literals)
			break;
		made += literals;
		in->at += literals + 3;
		match = to + made;
		copy_8(match, match - offset);
		copy_8(match + 8, match + 8 - offset);
		copy_8(match + 16, match + 16 - offset);
		made += length;
	}
	return made;
}

u64 unpack(const u8 *from, u64 size, u8 *to, u64 room)
{
	struct input in = { from, from + size, false };
	u64 made = 0;

	for (;;) {
		made = unpack_short(&in, to, made, room);
		u32 token = next_byte(&in), offset;
		u64 length = read_length(&in, token >> 4);

		if (in.damaged || length > (u64)(in.end - in.at) || length > room - made)
			return 0;
		copy(to + made, in.at, length, room - made - length >= 8 && (u64)(in.end - in.at) - length >= 8);
		in.at += length;
		made += length;
		if (in.at == in.end)
			return made;
		offset = next_byte(&in);
		offset |= next_byte(&in) << 8;
		length = read_length(&in, token & LONG_LENGTH) + SHORTEST_MATCH;
		if (in.damaged || offset == 0 || offset > made || length > room - made)
			return 0;
		copy(to + made, to + made - offset, length, offset >= 8 && room - made - length >= 8);
		made += length;
	}
}
