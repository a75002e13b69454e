/* SPDX-License-Identifier: MIT */
/*
 * EPT02 where a control adds to what EPT12 means: mode-based execute control, page-modification logging.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ept02_hands.h"

/* --- mode-based execute control ------------------------------------------- */

#define EPTP_MODES (EPTP | EPT02_MODE_BASED)
#define FETCH_SUPERVISOR (EPT_ACCESS_EXECUTE | LINEAR | BIT(10))
#define FETCH_USER (FETCH_SUPERVISOR | BIT(9))

/* Tables above the page table that allow everything, bit 10 too. */
static int begin_modes(void **state)
{
	begin(state);
	put(PML4, PDPT | EPT_PERMISSIONS);
	put(PDPT, PD | EPT_PERMISSIONS);
	put(PD, PT | EPT_PERMISSIONS);
	return 0;
}

/* Expect: the page is tried with its permissions first; who misses again was the other mode. */
static void a_fetch_from_a_page_for_one_mode_is_refused_at_the_second_miss(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_SUPERVISOR).outcome, EPT02_FILLED);
	assert_int_equal(seen_by(EPTP_MODES, 0).permissions, EPT_READ | EPT_USER_EXECUTE);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_SUPERVISOR).outcome, EPT02_VIOLATION);
	/* L1 changes its mind: no refusal without a look. */
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_VIOLATION);
	/* Bit 10 of a table counts like that of a page. */
	put(PT, 0x400000 | EPT_READ | EPT_USER_EXECUTE | WB);
	put(PD, PT | EPT_RWX);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_VIOLATION);
}

static void a_fetch_from_a_page_for_both_modes_or_none_needs_no_second_look(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_SUPERVISOR).outcome, EPT02_FILLED);
	put(PT, 0x400000 | EPT_READ | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_VIOLATION);
}

static void a_violation_tells_both_execute_permissions(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_SUPERVISOR).qualification, FETCH_SUPERVISOR | EPT_READ << 3 | BIT(6));
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, EPT_ACCESS_WRITE | LINEAR).qualification,
			 EPT_ACCESS_WRITE | LINEAR | (EPT_READ | EPT_EXECUTE) << 3);
	/* Expect: without the control bit 6 is not told, whatever the entry has. */
	put(PT, 0x400000 | EPT_READ | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP, 0, FETCH_USER).qualification, FETCH_USER | EPT_READ << 3);
}

static void a_permission_that_was_taken_away_is_flushed(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_READ | EPT_EXECUTE | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_FILLED);
	(void)ept02_take_flush(&world.ept02, EPTP_MODES);
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_true(ept02_take_flush(&world.ept02, EPTP_MODES));
}

static void the_same_tables_serve_with_and_without_the_control(void **state)
{
	(void)state;
	put(PT, 0x400000 | EPT_USER_EXECUTE | WB);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_FILLED);
	/* Expect: without it the entry is not present, and nothing of the other root shows. */
	assert_int_equal(touch_as(EPTP, 0, FETCH_USER).outcome, EPT02_VIOLATION);
	assert_true((ept02_eptp(&world.ept02, EPTP) & EPTP_ADDRESS) != (ept02_eptp(&world.ept02, EPTP_MODES) & EPTP_ADDRESS));
	assert_int_equal(ept02_eptp(&world.ept02, EPTP_MODES) >> 40, 0);
	assert_int_equal(touch_as(EPTP_MODES, 0, FETCH_USER).outcome, EPT02_FILLED);
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(seen_by(EPTP_MODES, 0).value, 0);
}

static void the_control_is_part_of_what_ept02_goes_by(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	vmcs12_set(&vmcs12, VMCS_EPT_POINTER, EPTP_FLAGS);
	vmcs12_set(&vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_MODE_BASED_EXECUTE);
	assert_true(ept02_pointer12(&vmcs12) == EPTP_FLAGS);
	vmcs12_set(&vmcs12, VMCS_PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	assert_true(ept02_pointer12(&vmcs12) == (EPTP_FLAGS | EPT02_MODE_BASED));
}

/* --- page-modification logging -------------------------------------------- */

static struct page_log page_log_at(u16 index)
{
	return (struct page_log){ .on = true, .page = l1_gpa(WORLD_LOG_AT), .index = index };
}

static struct ept02_result touch_logged(struct page_log *log, u64 eptp12, u64 address, u64 qualification)
{
	const struct ept02_miss miss = {
		.eptp12 = eptp12, .address = l2_gpa(address), .qualification = qualification, .log = log
	};

	return ept02_handle(&world.ept02, &miss);
}

static void the_page_of_a_write_is_logged_when_it_gets_dirty(void **state)
{
	struct page_log log = page_log_at(511);

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	put(PD + 8, 0x600000 | EPT_RWX | WB | EPT_LARGE);
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0x10, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 511);
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0x10, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 510);
	assert_int_equal(get(WORLD_LOG_AT + 511 * 8), 0);
	/* A large page is logged by the 4 KB that were written; a page walk counts as a write. */
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0x234568, EPT_ACCESS_READ | BIT(7)).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 509);
	assert_int_equal(get(WORLD_LOG_AT + 510 * 8), 0x234000);
	/* Dirty already. */
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0x299000, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 509);
}

static void a_full_log_ends_an_access_before_its_flags_are_set(void **state)
{
	struct page_log log = page_log_at(0xffff);
	struct ept02_result result;

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	/* Expect: an accessed flag to be set is enough. */
	result = touch_logged(&log, EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR | BIT(12) | BIT(16));
	assert_int_equal(result.outcome, EPT02_LOG_FULL);
	assert_int_equal(result.qualification, BIT(12) | BIT(16));
	assert_int_equal(get(PT), 0x400000 | EPT_RWX | WB);
	assert_int_equal(get(PML4), PDPT | EPT_RWX);
	assert_int_equal(log.index, 0xffff);
	/* Nothing to be set, nothing to be logged; a violation goes first. */
	put(PML4, PDPT | EPT_RWX | EPT_ACCESSED);
	put(PDPT, PD | EPT_RWX | EPT_ACCESSED);
	put(PD, PT | EPT_RWX | EPT_ACCESSED);
	put(PT, 0x400000 | EPT_RWX | WB | EPT_ACCESSED);
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0, EPT_ACCESS_READ | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_LOG_FULL);
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0x1000, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
	log.index = 0;
	assert_int_equal(touch_logged(&log, EPTP_FLAGS, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 0xffff);
}

static void without_flags_in_the_eptp_nothing_is_logged(void **state)
{
	struct page_log log = page_log_at(0xffff);

	(void)state;
	put(PT, 0x400000 | EPT_RWX | WB);
	assert_int_equal(touch_logged(&log, EPTP, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	assert_int_equal(log.index, 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_fetch_from_a_page_for_one_mode_is_refused_at_the_second_miss, begin_modes),
		cmocka_unit_test_setup(a_fetch_from_a_page_for_both_modes_or_none_needs_no_second_look, begin_modes),
		cmocka_unit_test_setup(a_violation_tells_both_execute_permissions, begin_modes),
		cmocka_unit_test_setup(a_permission_that_was_taken_away_is_flushed, begin_modes),
		cmocka_unit_test_setup(the_same_tables_serve_with_and_without_the_control, begin_modes),
		cmocka_unit_test(the_control_is_part_of_what_ept02_goes_by),
		cmocka_unit_test_setup(the_page_of_a_write_is_logged_when_it_gets_dirty, begin),
		cmocka_unit_test_setup(a_full_log_ends_an_access_before_its_flags_are_set, begin),
		cmocka_unit_test_setup(without_flags_in_the_eptp_nothing_is_logged, begin),
	};

	return cmocka_run_group_tests_name("ept02_features", tests, NULL, NULL);
}
