/* SPDX-License-Identifier: MIT */
/*
 * The console's lines in memory, at the start of L0's block, for whoever looks later: a
 * memory dump, and the loader of the next boot, which finds the ring by its signature
 * where a warm reset has left memory alone. A reader trusts nothing of it: each line has
 * a checksum of its own, over its place too, and only printable characters come out. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

#define LOG_RING_BYTES 65536u		/* with the header */
#define LOG_RING_TEXT (LOG_RING_BYTES - 64)
#define LOG_RING_ALIGNMENT (UINT64_C(2) << 20)
#define LOG_RING_LINE 320u		/* bytes of the longest line, with a NUL */
#define LOG_RING_SIGNATURE "TESTUDO-CONSOLE"

/*
 * A line in the text is its characters, '\n', and two bytes of checksum that have bit 7
 * set. Positions count bytes ever written; position p is at text[p % LOG_RING_TEXT].
 */
struct log_ring {
	char signature[16];
	u32 text_bytes;			/* LOG_RING_TEXT */
	u32 under_testudo;		/* 1: Testudo was started under Testudo */
	u64 boot;			/* goes up from boot to boot */
	u64 check;			/* of all above */
	u64 written;			/* position of what comes next, sealed */
	u64 mark;			/* where the end began, sealed; 0: it has not */
	u64 reserved;
	char text[LOG_RING_TEXT];
};
static_assert(sizeof(struct log_ring) == LOG_RING_BYTES, "the next boot counts on it");

void log_ring_init(struct log_ring *ring, u64 boot, bool under_testudo);

/* One line without its end. What is not printable becomes '?', what passes LOG_RING_LINE - 1 is cut. */
void log_ring_put(struct log_ring *ring, const char *line, size_t length);

/* From here on the lines tell of the end: only the first call counts. */
void log_ring_mark(struct log_ring *ring);

/* For memory of any content: has log_ring_init() made this, and has it come through? */
bool log_ring_is_whole(const struct log_ring *ring);

/* Whole lines, oldest first. */
struct log_reader {
	const struct log_ring *ring;
	u64 at, end;
	u64 mark;			/* UINT64_MAX: none */
	u64 line;			/* position of the line that was read last */
};

void log_reader_begin(struct log_reader *reader, const struct log_ring *ring);
/* Copies the next line that is as it was written; false: that was the last. */
bool log_reader_next(struct log_reader *reader, char line[LOG_RING_LINE]);

/* What of the ring is worth telling: as many lines as `most`, of the end if there is a mark, with some before it. */
struct log_extract {
	u32 first, lines;		/* how many lines to pass over, how many to tell */
	u32 left;			/* how many come behind those */
	bool marked;
};
struct log_extract log_ring_extract(const struct log_ring *ring, u32 before_mark, u32 without_mark, u32 most);
