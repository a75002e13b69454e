/* SPDX-License-Identifier: MIT */
/* The trace ring: empty, filling, full and past it; what a reader gets of it by pieces and by lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmx/trace_ring.h"

#define SIZE 4096
#define CAPACITY ((SIZE - 96) / 48)
#define GUARD 0x5a

static u8 memory[SIZE + 64];
static struct trace_ring ring;

static int fresh(void **state)
{
	const struct trace_ring_identity identity = { .cpu = 3, .address = 0x12345000, .ticks_per_second = 2400000000 };

	(void)state;
	memset(memory, 0, SIZE);
	memset(memory + SIZE, GUARD, sizeof(memory) - SIZE);
	trace_ring_init(&ring, memory, SIZE, &identity);
	return 0;
}

static void put(u64 tsc)
{
	struct trace_transition record = { .tsc = tsc, .kind = TRACE_TRANSITION, .level = 2, .next = 1, .reason = 10, .rip = tsc * 3 };

	trace_ring_put(&ring, &record);
}

static const struct trace_transition *recent(u64 age)
{
	return (const struct trace_transition *)(const void *)trace_ring_recent(&ring, age);
}

/* As docs/tracing.md has it for who reads memory. */
static void the_header_says_what_it_is(void **state)
{
	(void)state;
	assert_memory_equal(memory, "TESTUDO TRACE\r\n", 16);
	assert_int_equal(memory[16] | memory[17] << 8, 1);
	assert_int_equal(memory[18] | memory[19] << 8, 96);
	assert_int_equal(memory[20] | memory[21] << 8, 48);
	assert_int_equal(memory[22] | memory[23] << 8, 3);
	assert_int_equal(ring.header->capacity, CAPACITY);
	assert_true(ring.header->address == 0x12345000);
	assert_true(ring.header->ticks_per_second == 2400000000);
	assert_int_equal(ring.header->checksum, trace_checksum(memory, 48));
	assert_true(ring.header->count == 0);
}

/* The vectors of the algorithm's authors. */
static void the_checksum_is_fnv_1a(void **state)
{
	(void)state;
	assert_int_equal(trace_checksum("", 0), 0x811c9dc5);
	assert_int_equal(trace_checksum("a", 1), 0xe40c292c);
	assert_int_equal(trace_checksum("foobar", 6), 0xbf9cf968);
}

static void an_empty_ring_has_no_records(void **state)
{
	(void)state;
	assert_null(recent(0));
	assert_true(trace_ring_lost(&ring) == 0);
	assert_true(trace_ring_lines(&ring) == 2);
	assert_true(trace_ring_pieces(&ring) == 6);
}

static void the_newest_is_found_first(void **state)
{
	(void)state;
	put(100);
	put(200);
	assert_true(recent(0)->tsc == 200 && recent(1)->tsc == 100);
	assert_null(recent(2));
	assert_null(recent(UINT64_MAX));
	assert_true(trace_ring_lines(&ring) == 4);
}

static void a_full_ring_has_lost_none(void **state)
{
	(void)state;
	for (u64 i = 1; i <= CAPACITY; i++)
		put(i);
	assert_true(trace_ring_lost(&ring) == 0);
	assert_true(recent(0)->tsc == CAPACITY && recent(CAPACITY - 1)->tsc == 1);
	assert_null(recent(CAPACITY));
}

/* Expect: the oldest is gone, the rest in order, nothing behind the ring touched. */
static void the_oldest_is_overwritten(void **state)
{
	(void)state;
	for (u64 i = 1; i <= 5 * CAPACITY + 7; i++)
		put(i);
	assert_true(trace_ring_lost(&ring) == 4 * CAPACITY + 7);
	for (u64 age = 0; age < CAPACITY; age++)
		assert_true(recent(age)->tsc == 5 * CAPACITY + 7 - age);
	assert_null(recent(CAPACITY));
	assert_true(trace_ring_lines(&ring) == CAPACITY + 2);
	for (size_t i = SIZE; i < sizeof(memory); i++)
		assert_int_equal(memory[i], GUARD);
}

static void the_last_one_can_be_taken_back(void **state)
{
	(void)state;
	trace_ring_take_back(&ring);
	assert_true(ring.header->count == 0);
	put(1);
	put(2);
	trace_ring_take_back(&ring);
	assert_true(recent(0)->tsc == 1);
	assert_null(recent(1));
}

static void both_kinds_of_records_fit(void **state)
{
	const struct trace_record refused = { .tsc = 9, .kind = TRACE_ENTRY_REFUSED, .rule = 451, .field = 0x681e };

	(void)state;
	put(8);
	trace_ring_put(&ring, &refused);
	assert_memory_equal(trace_ring_recent(&ring, 0), &refused, sizeof(refused));
	assert_int_equal(trace_ring_recent(&ring, 1)->kind, TRACE_TRANSITION);
}

static void pieces_are_the_memory(void **state)
{
	u8 copy[SIZE];
	u64 piece[2] = { 1, 1 };

	(void)state;
	for (u64 i = 0; i < CAPACITY + 3; i++)
		put(i + 1);
	for (u64 i = 0; i < trace_ring_pieces(&ring); i++) {
		trace_ring_piece(&ring, i, piece);
		memcpy(copy + 16 * i, piece, 16);
	}
	assert_memory_equal(copy, memory, 96 + CAPACITY * 48);
	trace_ring_piece(&ring, trace_ring_pieces(&ring), piece);
	assert_true(piece[0] == 0 && piece[1] == 0);
	trace_ring_piece(&ring, UINT32_MAX, piece);
	assert_true(piece[0] == 0 && piece[1] == 0);
}

/* Expect: number, bytes and sum; the same bytes elsewhere have another sum. */
static void lines_carry_their_sum(void **state)
{
	char line[TRACE_LINE_SIZE], other[TRACE_LINE_SIZE];
	struct {
		u64 cpu, number;
		u8 bytes[48];
	} whole = { .cpu = 3, .number = 2 };

	(void)state;
	put(0x1122334455667788);
	trace_ring_line(&ring, 2, line);
	assert_int_equal(strncmp(line, "trace 3 2 8877665544332211", 26), 0);
	assert_int_equal(strlen(line), 10 + 96 + 1 + 8);
	memcpy(whole.bytes, ring.records, 48);
	assert_int_equal(strtoul(strrchr(line, ' '), NULL, 16), trace_checksum(&whole, sizeof(whole)));
	put(0x1122334455667788);
	trace_ring_line(&ring, 3, other);
	assert_memory_equal(line + 10, other + 10, 96);
	assert_string_not_equal(strrchr(line, ' '), strrchr(other, ' '));
	trace_ring_line(&ring, 4, line);
	assert_string_equal(line, "");
}

static void there_may_be_no_ring(void **state)
{
	const struct trace_ring none = { 0 };
	char line[TRACE_LINE_SIZE];
	u64 piece[2] = { 1, 1 };

	(void)state;
	assert_null(trace_ring_recent(&none, 0));
	assert_true(trace_ring_lines(&none) == 0 && trace_ring_pieces(&none) == 0 && trace_ring_lost(&none) == 0);
	trace_ring_piece(&none, 0, piece);
	assert_true(piece[0] == 0 && piece[1] == 0);
	trace_ring_line(&none, 0, line);
	assert_string_equal(line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_header_says_what_it_is, fresh),
		cmocka_unit_test_setup(the_checksum_is_fnv_1a, fresh),
		cmocka_unit_test_setup(an_empty_ring_has_no_records, fresh),
		cmocka_unit_test_setup(the_newest_is_found_first, fresh),
		cmocka_unit_test_setup(a_full_ring_has_lost_none, fresh),
		cmocka_unit_test_setup(the_oldest_is_overwritten, fresh),
		cmocka_unit_test_setup(the_last_one_can_be_taken_back, fresh),
		cmocka_unit_test_setup(both_kinds_of_records_fit, fresh),
		cmocka_unit_test_setup(pieces_are_the_memory, fresh),
		cmocka_unit_test_setup(lines_carry_their_sum, fresh),
		cmocka_unit_test_setup(there_may_be_no_ring, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
