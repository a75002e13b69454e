// SPDX-License-Identifier: MIT
/*
 * Prints the trace ring of the processor that asks, read by CPUID leaf 0x40000006, as the lines that tools/trace reads
 * (docs/tracing.md). The ring is read whole before anything is printed: what prints may exit, too.
 */
#include "l0.h"

#include <cpuid.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAF_SIGNATURE = 0x40000000, LEAF_TRACE = 0x40000006, PIECE_SIZE = 16, LINE_SIZE = 48, HEADER_LINES = 2, TRIES = 100 };

/* The members of vmx/trace.h's header that a reader needs. */
struct header {
	char magic[16];
	uint16_t version, header_size, record_size, cpu;
	uint32_t capacity, reserved;
	uint64_t ticks_per_second, address;
	uint32_t checksum, is_on;
	uint64_t count, reserved2[4];
};

_Static_assert(sizeof(struct header) == HEADER_LINES * LINE_SIZE, "as in memory");

static void read_line(uint64_t line, unsigned char *to)
{
	for (uint32_t piece = 0; piece < LINE_SIZE / PIECE_SIZE; piece++) {
		uint32_t r[4];

		__cpuid_count(LEAF_TRACE, line * (LINE_SIZE / PIECE_SIZE) + piece, r[0], r[1], r[2], r[3]);
		memcpy(to + PIECE_SIZE * piece, r, PIECE_SIZE);
	}
}

static struct header read_header(void)
{
	struct header header;

	for (uint64_t line = 0; line < HEADER_LINES; line++)
		read_line(line, (unsigned char *)&header + LINE_SIZE * line);
	return header;
}

/* Again if the ring has gone on meanwhile, for the record may be half the old and half the new one. */
static void read_record(uint64_t number, unsigned char *to)
{
	uint64_t before = read_header().count, after;

	for (int i = 0; i < TRIES; i++) {
		read_line(HEADER_LINES + number, to);
		after = read_header().count;
		if (after == before)
			return;
		before = after;
	}
}

static void print_line(uint64_t cpu, uint64_t number, const unsigned char *bytes)
{
	uint64_t front[2] = { cpu, number };
	unsigned char whole[sizeof front + LINE_SIZE];
	uint32_t sum = 0x811c9dc5;

	memcpy(whole, front, sizeof front);
	memcpy(whole + sizeof front, bytes, LINE_SIZE);
	for (size_t i = 0; i < sizeof whole; i++)
		sum = (sum ^ whole[i]) * 0x01000193;
	printf("trace %" PRIu64 " %" PRIu64 " ", cpu, number);
	for (int i = 0; i < LINE_SIZE; i++)
		printf("%02x", bytes[i]);
	printf(" %08" PRIx32 "\n", sum);
}

int l0_trace_print(void)
{
	struct header header;
	uint64_t records;
	unsigned char *lines;
	uint32_t last, b, c, d;

	__cpuid_count(LEAF_SIGNATURE, 0, last, b, c, d);
	if (!l0_present() || last < LEAF_TRACE)
		return 1;
	header = read_header();
	if (!header.capacity || header.header_size != sizeof header || header.record_size != LINE_SIZE)
		return 1;
	records = header.count < header.capacity ? header.count : header.capacity;
	lines = calloc(HEADER_LINES + records, LINE_SIZE);
	if (!lines)
		return 1;
	memcpy(lines, &header, sizeof header);
	for (uint64_t i = 0; i < records; i++)
		read_record(i, lines + LINE_SIZE * (HEADER_LINES + i));
	for (uint64_t i = 0; i < HEADER_LINES + records; i++)
		print_line(header.cpu, i, lines + LINE_SIZE * i);
	free(lines);
	return 0;
}
