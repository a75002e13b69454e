/* SPDX-License-Identifier: MIT */
/*
 * The watch over what L1 hardly ever changes (vmx/nested/watch.h): when it begins, what ends
 * it, and how long it then pauses.
 */
#include "tests/model/scene.h"

/* Entries to L1 that are more than any pause, and one that is long enough for a watch to have been worth it. */
#define EVER 2000
#define A_WHILE 40

static bool is_on(void)
{
	return model.vcpu.nested->watch.is_on;
}

static void round_trip(void)
{
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
}

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_play();
	for (u32 round = 0; round < 5; round++)
		round_trip();
	assert_true(is_on());
}

/* L1's LGDT, or what else the watch stops; then the entries to L1 until it is on again. */
static u32 end(void)
{
	u32 rounds = 0;

	assert_true(model_exit_for(EXIT_GDTR_IDTR_ACCESS, 0));
	assert_false(is_on());
	for (; !is_on() && rounds < EVER; rounds++)
		round_trip();
	return rounds;
}

/* Expect: L1 that changes its tables again and again is left alone for longer and longer. */
static void pauses_grow(void **state)
{
	u32 first, last;

	(void)state;
	begin();
	last = first = end();
	for (u32 i = 0; i < 5; i++) {
		u32 now = end();

		assert_true(now > last);
		last = now;
	}
	assert_true(last > 16 * first);
	assert_true(last < EVER);
}

/* Expect: a watch that has lasted is not counted against the next one. */
static void a_long_watch_begins_again_soon(void **state)
{
	u32 first, later = 0;

	(void)state;
	begin();
	first = end();
	for (u32 i = 0; i < 6; i++)
		later = end();
	assert_true(later > first);
	for (u32 i = 0; i < A_WHILE; i++)
		round_trip();
	assert_int_equal(end(), first);
}

/* Expect: after a watch has ended each exit loads what L1 may have changed meanwhile. */
static void what_is_not_watched_is_loaded(void **state)
{
	u64 base;

	(void)state;
	begin();
	base = scene_running(VMCS_GUEST_GDTR_BASE);
	assert_true(model_exit_for(EXIT_GDTR_IDTR_ACCESS, 0));
	for (u32 i = 0; i < 3; i++) {
		*processor_field(VMCS_GUEST_GDTR_BASE) = base + 0x1000;
		round_trip();
		assert_int_equal(scene_running(VMCS_GUEST_GDTR_BASE), base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_grow),
		cmocka_unit_test(a_long_watch_begins_again_soon),
		cmocka_unit_test(what_is_not_watched_is_loaded),
	};

	return cmocka_run_group_tests_name("path_watch", tests, NULL, NULL);
}
