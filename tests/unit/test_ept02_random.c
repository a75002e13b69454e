/* SPDX-License-Identifier: MIT */
/*
 * Properties of EPT02 on random tables: L1 edits with and without INVEPT, L2
 * touches pages, and the model of ept_model.h judges each access, each answer
 * and each table. Then the same while another processor of L1 keeps writing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "mm/phys.h"
#include "tests/unit/ept_world.h"

#define CAPS (EPT_CAP_EXECUTE_ONLY | EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_UNCACHEABLE | EPT_CAP_2M | EPT_CAP_1G | \
	      EPT_CAP_INVEPT | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_ADVANCED_EXIT_INFORMATION)
#define PAGES 128

static struct world world;

/* Random worlds: every access, answer and table is judged by the model. */
enum features { NONE, MODES, LOG, BOTH, SUB_PAGES, ALL = 7 };

static void run_worlds(u64 ept_vpid, u64 pages, u64 first_seed, unsigned int worlds, enum features features)
{
	u64 accesses = 0, neighbours = 0, reflected = 0, misconfigured = 0, stale = 0, logged = 0, full = 0, by_sub_page = 0, events = 0;

	for (u64 seed = first_seed; seed < first_seed + worlds; seed++) {
		world_begin(&world, ept_vpid, ept_vpid, pages);
		world.mode_based = features & MODES;
		world.logging = features & LOG;
		world.sub_pages = features & SUB_PAGES;
		world.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
		world_populate(&world);
		for (unsigned int i = 0; i < 1500; i++)
			assert_true(world_step(&world));
		accesses += world.accesses;
		neighbours += world.neighbours;
		reflected += world.reflected;
		misconfigured += world.misconfigured;
		stale += world.stale;
		logged += world.logged;
		full += world.full;
		by_sub_page += world.by_sub_page;
		events += world.sub_page_events;
	}
	print_message("%llu accesses, %llu came besides, %llu reflected, %llu misconfigured, %llu stale, "
		      "%llu logged, %llu times full, %llu by sub-page, %llu events\n",
		      (unsigned long long)accesses, (unsigned long long)neighbours, (unsigned long long)reflected,
		      (unsigned long long)misconfigured, (unsigned long long)stale, (unsigned long long)logged, (unsigned long long)full,
		      (unsigned long long)by_sub_page, (unsigned long long)events);
	/* Expect: the worlds are not idle; each kind of thing happens often. */
	assert_true(accesses > 20 * worlds && neighbours > 20 * worlds);
	assert_true(reflected > 20 * worlds && misconfigured > 2 * worlds && stale > worlds);
	assert_true(!(features & LOG) || (logged > 20 * worlds && full > worlds));
	assert_true(!(features & SUB_PAGES) || (by_sub_page > 2 * worlds && events > worlds));
}

static void random_tables_translate_as_page_by_page_walks(void **state)
{
	(void)state;
	run_worlds(CAPS, PAGES, 1, 12, NONE);
}

static void random_tables_with_five_levels_translate_alike(void **state)
{
	(void)state;
	run_worlds(CAPS | EPT_CAP_5_LEVEL, PAGES, 1000, 8, NONE);
}

static void random_tables_translate_alike_on_a_plain_processor(void **state)
{
	(void)state;
	run_worlds(EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_INVEPT, PAGES, 2000, 8, NONE);
}

static void random_tables_translate_alike_from_the_smallest_pool(void **state)
{
	(void)state;
	run_worlds(CAPS | EPT_CAP_5_LEVEL, EPT02_MIN_PAGES, 3000, 12, NONE);
}

static void random_tables_translate_alike_for_both_execute_modes(void **state)
{
	(void)state;
	run_worlds(CAPS, PAGES, 4000, 10, MODES);
	run_worlds(CAPS & ~EPT_CAP_EXECUTE_ONLY, PAGES, 4100, 6, MODES);
}

static void random_tables_translate_alike_where_hardware_tells_less(void **state)
{
	(void)state;
	run_worlds(CAPS & ~EPT_CAP_ADVANCED_EXIT_INFORMATION, PAGES, 5000, 10, MODES);
}

static void each_page_that_gets_dirty_is_logged_once(void **state)
{
	(void)state;
	run_worlds(CAPS, PAGES, 6000, 10, LOG);
	run_worlds(CAPS | EPT_CAP_5_LEVEL, EPT02_MIN_PAGES, 6100, 6, BOTH);
}

static void sub_pages_are_asked_where_a_page_says_so(void **state)
{
	(void)state;
	run_worlds(CAPS, PAGES, 7000, 8, SUB_PAGES);
	run_worlds(CAPS | EPT_CAP_5_LEVEL, EPT02_MIN_PAGES, 7100, 8, ALL);
}

static int writer_stops;

/* Another processor of L1: sound entries and broken ones, without end and without INVEPT. */
static void *write_tables(void *context)
{
	static const u64 indices[] = { 0, 1, 2, 511 };
	u64 *tables = context, random = 88172645463325252;

	while (!__atomic_load_n(&writer_stops, __ATOMIC_RELAXED)) {
		u64 *entry, value;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		entry = &tables[(random >> 8) % WORLD_TABLES * 512 + indices[random >> 6 & 3]];
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		__atomic_store_n(entry, 0x3ff0000000000000 ^ random, __ATOMIC_RELAXED);
		for (unsigned int i = 0; i < 500; i++)
			(void)__atomic_load_n(entry, __ATOMIC_RELAXED);
		__atomic_store_n(entry, value & ~(random & 0x300), __ATOMIC_RELAXED);
	}
	return NULL;
}

static void whatever_l1_writes_meanwhile_the_tables_are_sound(void **state)
{
	u64 outcomes[3] = { 0 }, random = 0x853c49e6748fea9b;
	pthread_t writer;

	(void)state;
	world_begin(&world, CAPS, CAPS, EPT02_MIN_PAGES);
	world_populate(&world);
	world_write(&world, WORLD_TABLES_AT, 0x200031);	/* some pages are read-only */
	writer_stops = 0;
	assert_int_equal(pthread_create(&writer, NULL, write_tables, phys_to_ptr(hpa(WORLD_TABLES_AT))), 0);
	/* Until the two have met for certain. */
	for (unsigned int i = 0; i < 20000 || (!outcomes[EPT02_MISCONFIGURED] && i < 500000); i++) {
		u64 address, eptp12;
		struct ept02_result result;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		address = world_address((unsigned int)(random >> 8) % WORLD_PAGES);
		eptp12 = world_eptp(&world, (unsigned int)(random >> 40) % 12);
		result = ept02_handle(&world.ept02, &(struct ept02_miss){
			.eptp12 = eptp12, .address = l2_gpa(address), .qualification = (random & 7) | BIT(7) | BIT(8) });
		outcomes[result.outcome]++;
		if (i % 16 == 0)
			model_audit(&world.ept02);
	}
	__atomic_store_n(&writer_stops, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(writer, NULL), 0);
	model_audit(&world.ept02);
	print_message("%llu filled, %llu violations, %llu misconfigured\n", (unsigned long long)outcomes[EPT02_FILLED],
		      (unsigned long long)outcomes[EPT02_VIOLATION], (unsigned long long)outcomes[EPT02_MISCONFIGURED]);
	assert_true(outcomes[EPT02_FILLED] && outcomes[EPT02_VIOLATION] && outcomes[EPT02_MISCONFIGURED]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_tables_translate_as_page_by_page_walks),
		cmocka_unit_test(random_tables_with_five_levels_translate_alike),
		cmocka_unit_test(random_tables_translate_alike_on_a_plain_processor),
		cmocka_unit_test(random_tables_translate_alike_from_the_smallest_pool),
		cmocka_unit_test(random_tables_translate_alike_for_both_execute_modes),
		cmocka_unit_test(random_tables_translate_alike_where_hardware_tells_less),
		cmocka_unit_test(each_page_that_gets_dirty_is_logged_once),
		cmocka_unit_test(sub_pages_are_asked_where_a_page_says_so),
		cmocka_unit_test(whatever_l1_writes_meanwhile_the_tables_are_sound),
	};

	return cmocka_run_group_tests_name("ept02_random", tests, NULL, NULL);
}
