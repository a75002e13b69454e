/* SPDX-License-Identifier: MIT */
/*
 * What counts here is the number of instructions for a sequence: the loader's
 * time goes into the reading and unpacking of the kernel.
 */
#include "boot/uefi/unpack.h"

/*
 * What follows is known by the next UNPACK_CODE_BITS bits. A byte for each number: they are looked up one by one as that costs
 * an instruction each.
 */
struct entry {
	u8 code_bits;		/* 0: there is no such code */
	u8 all_bits;		/* the distance's, too */
	u8 literals, length;
	u8 shift;		/* of 64 bits that begin with the distance, so that it is left */
	bool is_again;		/* the distance of the match before, without bits */
	bool is_odd;		/* a length goes on in bytes, the distance is less than 8, or there is no such code */
	u8 unused;
};

struct table {
	struct entry entry[1 << UNPACK_CODE_BITS];
};

struct input {
	const u8 *begin, *end;
	u64 bit, last_bit;	/* the next one; the last from which 8 bytes can be read */
	const u8 *byte;		/* the next one */
	u64 distance;		/* of the last match */
	bool damaged;
};

/* The next bits, from the highest down; 57 of them are the input's. */
static inline u64 next_bits(const u8 *begin, u64 bit)
{
	u64 word;

	__builtin_memcpy(&word, begin + bit / 8, 8);
	return __builtin_bswap64(word) << bit % 8;
}

static u32 take_bits(struct input *in, u32 count)
{
	u64 bits = 0;

	if (in->bit <= in->last_bit)
		bits = next_bits(in->begin, in->bit);
	else
		in->damaged = true;
	in->bit += count;
	return (u32)(bits >> (64 - count));
}

static u32 next_byte(struct input *in)
{
	if (in->byte < in->end)
		return *in->byte++;
	in->damaged = true;
	return 0;
}

static u64 read_length(struct input *in, u64 length)
{
	u32 more = 255;

	for (; more == 255; length += more)
		more = next_byte(in);
	return length;
}

static struct entry make_entry(u32 symbol, u32 code_bits)
{
	u32 literals = symbol & UNPACK_LITERALS, length = symbol >> 3 & UNPACK_LENGTH, distance = symbol >> 7;
	u32 more = distance ? distance - 1 : 0;

	return (struct entry){
		.code_bits = (u8)code_bits, .all_bits = (u8)(code_bits + more), .literals = (u8)literals,
		.length = (u8)(length + UNPACK_SHORTEST), .shift = (u8)(63 - more), .is_again = !distance,
		.is_odd = literals == UNPACK_LITERALS || length == UNPACK_LENGTH || (distance && more < 3),
	};
}

/* The lengths of all codes; false if they are more than there are. */
static bool read_code_bits(struct input *in, u8 *code_bits)
{
	for (u32 symbol = 0; symbol < UNPACK_SYMBOLS && !in->damaged; symbol++) {
		u32 bits = take_bits(in, 4);

		if (bits == UNPACK_NONE)
			symbol += take_bits(in, 4) + UNPACK_NONE_SHORTEST - 1;
		else if (bits > UNPACK_CODE_BITS)
			return false;
		else
			code_bits[symbol] = (u8)bits;
	}
	return !in->damaged;
}

static bool read_table(struct input *in, struct table *table)
{
	u8 code_bits[UNPACK_SYMBOLS] = { 0 };
	u32 count[UNPACK_CODE_BITS + 1] = { 0 }, next[UNPACK_CODE_BITS + 1], filled = 0;

	if (!read_code_bits(in, code_bits))
		return false;
	for (u32 symbol = 0; symbol < UNPACK_SYMBOLS; symbol++)
		count[code_bits[symbol]]++;
	for (u32 bits = 1; bits <= UNPACK_CODE_BITS; bits++) {
		next[bits] = filled;
		filled += count[bits] << (UNPACK_CODE_BITS - bits);
	}
	if (filled > 1 << UNPACK_CODE_BITS)
		return false;
	for (u32 at = filled; at < 1 << UNPACK_CODE_BITS; at++)
		table->entry[at] = (struct entry){ .is_odd = true };
	for (u32 symbol = 0; symbol < UNPACK_SYMBOLS; symbol++) {
		u32 bits = code_bits[symbol];
		struct entry entry;

		if (!bits)
			continue;
		entry = make_entry(symbol, bits);
		for (u32 same = 1u << (UNPACK_CODE_BITS - bits); same; same--)
			table->entry[next[bits]++] = entry;
	}
	return true;
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
static inline void copy_match(u8 *to, u64 distance, u64 length, u64 room)
{
	for (; distance < 8 && distance < length; distance *= 2) {
		copy(to, to - distance, distance, false);
		to += distance;
		length -= distance;
		room -= distance;
	}
	copy(to, to - distance, length, distance >= 8 && room - length >= 8);
}

/* The bits behind the code, below the highest one. */
static inline u64 distance_of(const struct entry *entry, u64 bits)
{
	return (bits << entry->code_bits >> 1 | UINT64_C(1) << 63) >> entry->shift;
}

/* So many sequences that are not odd are inside of everything, whatever they are. */
static u64 certain(const struct input *in, u64 room)
{
	u64 bits = in->bit < in->last_bit ? (in->last_bit - in->bit) / 64 : 0, bytes = (u64)(in->end - in->byte) / 8;
	u64 least = bits < bytes ? bits : bytes;

	return least < room / 32 ? least : room / 32;
}

/* Sequences that are not odd, as nearly all are not, while all ends are far; the rest is for the careful one. Returns what is made. */
static u64 unpack_plain(struct input *in, const struct table *table, u8 *begin, u64 made, u64 room)
{
	const u8 *byte = in->byte, *from = in->begin;
	u64 bit = in->bit, distance = in->distance, count = certain(in, room - made);
	u8 *to = begin + made;

	/* It becomes none as short here. */
	if (distance < 8)
		return made;
	for (; count; count--) {
		u64 bits = next_bits(from, bit), before = distance;
		const struct entry *entry = &table->entry[bits >> (64 - UNPACK_CODE_BITS)];
		u8 *match = to + entry->literals;
		const u8 *earlier;

		if (entry->is_odd)
			break;
		if (!entry->is_again)
			distance = distance_of(entry, bits);
		earlier = (const u8 *)((uintptr_t)match - distance);
		if (earlier < begin) {
			distance = before;
			break;
		}
		copy_8(to, byte);
		copy_8(match, earlier);
		copy_8(match + 8, earlier + 8);
		byte += entry->literals;
		bit += entry->all_bits;
		to = match + entry->length;
	}
	in->byte = byte;
	in->bit = bit;
	in->distance = distance;
	return (u64)(to - begin);
}

/* Any sequence. Returns what is made then, or 0. */
static u64 unpack_one(struct input *in, const struct table *table, u8 *to, u64 made, u64 room)
{
	u64 bits = in->bit <= in->last_bit ? next_bits(in->begin, in->bit) : 0;
	const struct entry *entry = &table->entry[bits >> (64 - UNPACK_CODE_BITS)];
	u64 literals = entry->literals, length = entry->length;

	if (in->bit > in->last_bit || !entry->code_bits)
		return 0;
	in->bit += entry->all_bits;
	if (literals == UNPACK_LITERALS)
		literals = read_length(in, literals);
	if (in->damaged || literals > (u64)(in->end - in->byte) || literals > room - made)
		return 0;
	copy(to + made, in->byte, literals, room - made - literals >= 8 && (u64)(in->end - in->byte) - literals >= 8);
	in->byte += literals;
	made += literals;
	if (made == room)
		return made;
	if (!entry->is_again)
		in->distance = distance_of(entry, bits);
	if (length == UNPACK_LENGTH + UNPACK_SHORTEST)
		length = read_length(in, length);
	if (in->damaged || !in->distance || in->distance > made || length > room - made)
		return 0;
	copy_match(to + made, in->distance, length, room - made);
	return made + length;
}

u64 unpack(const u8 *from, u64 size, u8 *to, u64 room)
{
	struct input in = { .begin = from, .end = from + size, .bit = 32 };
	struct table table;
	u32 bytes_at;
	u64 made = 0;

	if (size < 12 || !room)
		return 0;
	__builtin_memcpy(&bytes_at, from, 4);
	in.last_bit = (size - 8) * 8;
	if (bytes_at > size)
		return 0;
	in.byte = from + bytes_at;
	if (!read_table(&in, &table))
		return 0;
	do {
		made = unpack_plain(&in, &table, to, made, room);
		made = unpack_one(&in, &table, to, made, room);
	} while (made && made < room);
	return made;
}
