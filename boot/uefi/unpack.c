/* SPDX-License-Identifier: MIT */
/*
 * What counts here is the number of instructions for a sequence: the loader's
 * time goes into the reading and unpacking of the kernel.
 */
#include "boot/uefi/unpack.h"

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

static inline u64 read_length(struct input *in, u64 length, u64 longest)
{
	u32 more = 255;

	if (length == longest)
		for (; more == 255; length += more)
			more = next_byte(in);
	return length;
}

static inline void copy_8(u8 *to, const u8 *from)
{
	__builtin_memcpy(to, from, 8);
}

/* Most pieces are short, so 8 bytes at a time, and up to 7 more than asked for where there is room. */
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

/* A match may reach into what it makes itself: then its beginning comes again and again, and two of it are as good a pattern. */
static inline void copy_match(u8 *to, u64 offset, u64 length, u64 room)
{
	for (; offset < 8 && offset < length; offset *= 2) {
		copy(to, to - offset, offset, false);
		to += offset;
		length -= offset;
		room -= offset;
	}
	copy(to, to - offset, length, offset >= 8 && room - length >= 8);
}

/* Short sequences, as nearly all are, while both ends are far; the rest is for the careful loop. Returns what is made. */
static u64 unpack_short(struct input *in, u8 *begin, u64 made, u64 room)
{
	const u8 *at = in->at, *stop = in->end - 32;
	u8 *to = begin + made, *full = begin + room - 64;

	if (in->end - at < 32 || room - made < 64)
		return made;
	while (at <= stop && to <= full) {
		u32 token = at[0], literals = token >> UNPACK_LITERALS_SHIFT & UNPACK_LITERALS, length = token & UNPACK_LENGTH, offset;
		const u8 *match = at + 1 + literals;

		if (literals == UNPACK_LITERALS || length == UNPACK_LENGTH)
			break;
		copy_8(to, at + 1);
		if (token & UNPACK_NEAR) {
			offset = match[0] + 1u;
			match += 1;
			length += UNPACK_SHORTEST_NEAR;
		} else {
			offset = (match[0] | (u32)match[1] << 8) + 1;
			match += 2;
			length += UNPACK_SHORTEST_FAR;
		}
		if (offset < 8 || offset > (u64)(to + literals - begin))
			break;
		to += literals;
		at = match;
		copy_8(to, to - offset);
		copy_8(to + 8, to + 8 - offset);
		if (length > 16)
			copy_8(to + 16, to + 16 - offset);
		to += length;
	}
	in->at = at;
	return (u64)(to - begin);
}

u64 unpack(const u8 *from, u64 size, u8 *to, u64 room)
{
	struct input in = { from, from + size, false };
	u64 made = 0;

	for (;;) {
		made = unpack_short(&in, to, made, room);
		u32 token = next_byte(&in), offset;
		u64 length = read_length(&in, token >> UNPACK_LITERALS_SHIFT & UNPACK_LITERALS, UNPACK_LITERALS);

		if (in.damaged || length > (u64)(in.end - in.at) || length > room - made)
			return 0;
		copy(to + made, in.at, length, room - made - length >= 8 && (u64)(in.end - in.at) - length >= 8);
		in.at += length;
		made += length;
		if (in.at == in.end)
			return made;
		offset = next_byte(&in) + 1;
		if (!(token & UNPACK_NEAR))
			offset += next_byte(&in) << 8;
		length = read_length(&in, token & UNPACK_LENGTH, UNPACK_LENGTH);
		length += token & UNPACK_NEAR ? UNPACK_SHORTEST_NEAR : UNPACK_SHORTEST_FAR;
		if (in.damaged || offset > made || length > room - made)
			return 0;
		copy_match(to + made, offset, length, room - made);
		made += length;
	}
}
