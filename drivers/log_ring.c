/* SPDX-License-Identifier: MIT */
/*
 * The ring of lines: see drivers/log_ring.h. Written without a lock where a panic has to:
 * lines may then spoil each other, which their checksums tell, but nothing leaves the text.
 */
#include "drivers/log_ring.h"

#include "arch/bits.h"
#include "arch/string.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define SEALED_BITS 48
#define CHECKSUM_BYTES 2

static u64 hash_byte(u64 hash, u8 byte)
{
	return (hash ^ byte) * FNV_PRIME;
}

static u64 hash_u64(u64 hash, u64 value)
{
	for (u32 i = 0; i < 64; i += 8)
		hash = hash_byte(hash, (u8)(value >> i));
	return hash;
}

static u64 header_check(const struct log_ring *ring)
{
	u64 hash = FNV_BASIS;

	for (size_t i = 0; i < offsetof(struct log_ring, check); i++)
		hash = hash_byte(hash, ((const u8 *)ring)[i]);
	return hash;
}

/* A number and its checksum in one word, so that a reset finds either the old one or the new one. */
static u64 seal(u64 value)
{
	u64 hash = hash_u64(FNV_BASIS, value & BITS(SEALED_BITS - 1, 0));

	return (value & BITS(SEALED_BITS - 1, 0)) | (hash >> 32) << SEALED_BITS;
}

static bool unseal(u64 sealed, u64 *value)
{
	*value = sealed & BITS(SEALED_BITS - 1, 0);
	return seal(*value) == sealed;
}

/* Of a line at `position`: lines of other boots, and of this one's earlier turns, do not fit. */
static u64 line_basis(const struct log_ring *ring, u64 position)
{
	return hash_u64(hash_u64(FNV_BASIS, ring->boot), position);
}

static char checksum_byte(u64 hash, u32 i)
{
	return (char)(0x80 | (hash >> (40 + 7 * i) & 0x7f));
}

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

void log_ring_init(struct log_ring *ring, u64 boot, bool under_testudo)
{
	memset(ring, 0, offsetof(struct log_ring, text));
	memcpy(ring->signature, LOG_RING_SIGNATURE, sizeof(ring->signature));
	ring->text_bytes = LOG_RING_TEXT;
	ring->under_testudo = under_testudo;
	ring->boot = boot;
	ring->check = header_check(ring);
	ring->written = seal(0);
}

void log_ring_put(struct log_ring *ring, const char *line, size_t length)
{
	u64 at = ring->written & BITS(SEALED_BITS - 1, 0);
	u64 hash = line_basis(ring, at);

	if (length > LOG_RING_LINE - 1)
		length = LOG_RING_LINE - 1;
	for (size_t i = 0; i < length; i++) {
		char c = printable(line[i]);

		hash = hash_byte(hash, (u8)c);
		ring->text[at++ % LOG_RING_TEXT] = c;
	}
	ring->text[at++ % LOG_RING_TEXT] = '\n';
	for (u32 i = 0; i < CHECKSUM_BYTES; i++)
		ring->text[at++ % LOG_RING_TEXT] = checksum_byte(hash, i);
	__atomic_store_n(&ring->written, seal(at), __ATOMIC_RELEASE);
}

void log_ring_mark(struct log_ring *ring)
{
	if (ring->mark == 0)
		ring->mark = seal(ring->written);
}

bool log_ring_is_whole(const struct log_ring *ring)
{
	u64 written;

	return memcmp(ring->signature, LOG_RING_SIGNATURE, sizeof(ring->signature)) == 0 && ring->text_bytes == LOG_RING_TEXT &&
	       ring->check == header_check(ring) && unseal(ring->written, &written);
}

void log_reader_begin(struct log_reader *reader, const struct log_ring *ring)
{
	*reader = (struct log_reader){ .ring = ring, .mark = UINT64_MAX };
	if (!unseal(ring->written, &reader->end))
		reader->end = 0;
	/* The oldest line is most often cut: its checksum does not fit. */
	reader->at = reader->end > LOG_RING_TEXT ? reader->end - LOG_RING_TEXT : 0;
	if (ring->mark != 0 && !unseal(ring->mark, &reader->mark))
		reader->mark = UINT64_MAX;
}

static char next_char(struct log_reader *reader)
{
	return reader->ring->text[reader->at++ % LOG_RING_TEXT];
}

/* Copies what may be a line and goes behind its end. Memory may change meanwhile: what counts is what was copied. */
static bool read_one(struct log_reader *reader, char line[LOG_RING_LINE])
{
	u64 hash = line_basis(reader->ring, reader->at);
	bool good = true;
	size_t length = 0;

	reader->line = reader->at;
	while (reader->at < reader->end) {
		char c = next_char(reader);

		if (c == '\n') {
			for (u32 i = 0; i < CHECKSUM_BYTES && reader->at < reader->end; i++)
				good = next_char(reader) == checksum_byte(hash, i) && good;
			line[length] = '\0';
			return good;
		}
		if (printable(c) != c || length == LOG_RING_LINE - 1) {
			good = false;
			continue;
		}
		hash = hash_byte(hash, (u8)c);
		line[length++] = c;
	}
	return false;
}

bool log_reader_next(struct log_reader *reader, char line[LOG_RING_LINE])
{
	while (reader->at < reader->end)
		if (read_one(reader, line))
			return true;
	return false;
}

struct log_extract log_ring_extract(const struct log_ring *ring, u32 before_mark, u32 without_mark, u32 most)
{
	struct log_extract extract = { 0 };
	struct log_reader reader;
	char line[LOG_RING_LINE];
	u32 count = 0, before = 0, kept;

	log_reader_begin(&reader, ring);
	while (log_reader_next(&reader, line)) {
		count++;
		before += reader.line < reader.mark;
	}
	extract.marked = before < count;
	kept = extract.marked ? before_mark : without_mark;
	extract.first = before > kept ? before - kept : 0;
	extract.lines = count - extract.first < most ? count - extract.first : most;
	extract.left = count - extract.first - extract.lines;
	return extract;
}
