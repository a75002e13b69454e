/* SPDX-License-Identifier: MIT */
/*
 * The ring of transitions: see vmx/trace_ring.h. A reader on another processor, or of
 * a dump, finds a record whole or not counted yet: the count goes up last.
 */
#include "vmx/trace_ring.h"

#include "arch/string.h"
#include "drivers/printk.h"

#define PIECE_SIZE 16

u32 trace_checksum(const void *bytes, size_t size)
{
	u32 sum = 0x811c9dc5;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const u8 *)bytes)[i]) * 0x01000193;
	return sum;
}

void trace_ring_init(struct trace_ring *ring, void *memory, u64 size, const struct trace_ring_identity *identity)
{
	struct trace_header *header = memory;
	static const char magic[] = TRACE_MAGIC;

	static_assert(sizeof(magic) == sizeof(header->magic), "with its NUL");
	*header = (struct trace_header){
		.version = TRACE_VERSION, .header_size = sizeof(*header), .record_size = sizeof(struct trace_record),
		.cpu = identity->cpu, .capacity = (u32)((size - sizeof(*header)) / sizeof(struct trace_record)),
		.ticks_per_second = identity->ticks_per_second, .address = identity->address,
	};
	memcpy(header->magic, magic, sizeof(magic));
	header->checksum = trace_checksum(header, offsetof(struct trace_header, checksum));
	ring->header = header;
	ring->records = (struct trace_record *)(void *)(header + 1);
}

void trace_ring_put(struct trace_ring *ring, const void *record)
{
	struct trace_header *header = ring->header;

	memcpy(&ring->records[header->count % header->capacity], record, sizeof(struct trace_record));
	__atomic_store_n(&header->count, header->count + 1, __ATOMIC_RELEASE);
}

void trace_ring_take_back(struct trace_ring *ring)
{
	if (ring->header->count)
		ring->header->count--;
}

const struct trace_record *trace_ring_recent(const struct trace_ring *ring, u64 age)
{
	const struct trace_header *header = ring->header;

	if (!header || age >= header->capacity || age >= header->count)
		return NULL;
	return &ring->records[(header->count - 1 - age) % header->capacity];
}

u64 trace_ring_lost(const struct trace_ring *ring)
{
	const struct trace_header *header = ring->header;

	return header && header->count > header->capacity ? header->count - header->capacity : 0;
}

/* Header and records that there are, without the rest of the memory. */
static u64 bytes_of(const struct trace_ring *ring)
{
	const struct trace_header *header = ring->header;
	u64 records;

	if (!header)
		return 0;
	records = header->count < header->capacity ? header->count : header->capacity;
	return sizeof(*header) + records * sizeof(struct trace_record);
}

u64 trace_ring_pieces(const struct trace_ring *ring)
{
	return bytes_of(ring) / PIECE_SIZE;
}

void trace_ring_piece(const struct trace_ring *ring, u64 number, u64 piece[2])
{
	piece[0] = piece[1] = 0;
	if (number < trace_ring_pieces(ring))
		memcpy(piece, (const u8 *)ring->header + number * PIECE_SIZE, PIECE_SIZE);
}

u64 trace_ring_lines(const struct trace_ring *ring)
{
	return bytes_of(ring) / sizeof(struct trace_record);
}

/* The sum is over the numbers in front as well, so that no line passes for another. */
void trace_ring_line(const struct trace_ring *ring, u64 number, char *out)
{
	struct {
		u64 cpu, number;
		u8 bytes[sizeof(struct trace_record)];
	} line;
	size_t length;

	out[0] = '\0';
	if (number >= trace_ring_lines(ring))
		return;
	line.cpu = ring->header->cpu;
	line.number = number;
	memcpy(line.bytes, (const u8 *)ring->header + number * sizeof(line.bytes), sizeof(line.bytes));
	length = format_text(out, TRACE_LINE_SIZE, "trace %lu %lu ", line.cpu, number);
	for (size_t i = 0; i < sizeof(line.bytes); i++)
		length += format_text(out + length, TRACE_LINE_SIZE - length, "%02x", line.bytes[i]);
	format_text(out + length, TRACE_LINE_SIZE - length, " %08x", trace_checksum(&line, sizeof(line)));
}
