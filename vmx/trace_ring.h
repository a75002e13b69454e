/* SPDX-License-Identifier: MIT */
/*
 * The ring of one processor's last transitions between levels, as docs/tracing.md
 * has it: a header and records of one size; the newest takes the place of the
 * oldest. Knows of no processor and decides nothing about what is recorded. Pure.
 */
#pragma once

#include "vmx/trace.h"

struct trace_ring {
	struct trace_header *header;	/* NULL: there is none */
	struct trace_record *records;
};

/* Bytes; fewer are no ring. */
#define TRACE_RING_LEAST 4096

/* What a ring is told once and for all. */
struct trace_ring_identity {
	u16 cpu;
	u64 address;			/* hpa of the memory */
	u64 ticks_per_second;
};

/* Makes a ring of `size` bytes of cleared memory, at least TRACE_RING_LEAST. */
void trace_ring_init(struct trace_ring *ring, void *memory, u64 size, const struct trace_ring_identity *identity);

/* `record` is a trace_record or a trace_transition. */
void trace_ring_put(struct trace_ring *ring, const void *record);

/* The last one was not so after all: it is taken back. Only right after trace_ring_put(). */
void trace_ring_take_back(struct trace_ring *ring);

/* The `age`-th most recent, 0 the last; NULL where there is none any more. */
const struct trace_record *trace_ring_recent(const struct trace_ring *ring, u64 age);

/* Records that were overwritten. */
u64 trace_ring_lost(const struct trace_ring *ring);

/* How many pieces of 16 bytes header and records are; and the one of that number, zeros beyond. */
u64 trace_ring_pieces(const struct trace_ring *ring);
void trace_ring_piece(const struct trace_ring *ring, u64 number, u64 piece[2]);

/* The lines of a dump: 48 bytes each, the header's first. */
#define TRACE_LINE_SIZE 160
u64 trace_ring_lines(const struct trace_ring *ring);
/* The line of that number, without its end, in `out` of TRACE_LINE_SIZE bytes. */
void trace_ring_line(const struct trace_ring *ring, u64 number, char *out);

/* FNV-1a of 32 bits. */
u32 trace_checksum(const void *bytes, size_t size);
