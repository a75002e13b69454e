/* SPDX-License-Identifier: MIT */
/*
 * EPT02 where a control adds to what EPT12 means: mode-based execute control, page-modification logging, sub-page
 * write permissions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ept02_hands.h"
#include "vmx/nested/spp.h"

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

static void the_controls_are_part_of_what_ept02_goes_by(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	vmcs12_set(&vmcs12, VMCS_EPT_POINTER, EPTP_FLAGS);
	vmcs12_set(&vmcs12, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, 0x5000);
	vmcs12_set(&vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	assert_true(ept02_pointer12(&vmcs12) == EPTP_FLAGS);
	assert_int_equal(ept02_spp_pointer12(&vmcs12), 0x5001);
	vmcs12_set(&vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_MODE_BASED_EXECUTE);
	assert_true(ept02_pointer12(&vmcs12) == (EPTP_FLAGS | EPT02_MODE_BASED));
	assert_int_equal(ept02_spp_pointer12(&vmcs12), 0);
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

/* --- sub-page write permissions ------------------------------------------- */

#define SPPT UINT64_C(0x190000)
#define SPPTP (SPPT | 1)
#define LEAF12 (UINT64_C(0x400000) | EPT_READ | EPT_EXECUTE | WB | EPT_SUB_PAGES)
#define LEAF02 (UINT64_C(0x400000) | EPT_READ | EPT_EXECUTE | WB)

/* SPPT12 for L2's first 2 MB: writes to bytes 0 to 127 and 256 to 383 of page 0. */
static int begin_sub_pages(void **state)
{
	begin(state);
	put(SPPT, (SPPT + 0x1000) | 1);
	put(SPPT + 0x1000, (SPPT + 0x2000) | 1);
	put(SPPT + 0x2000, (SPPT + 0x3000) | 1);
	put(SPPT + 0x3000, BIT(0) | BIT(4));
	put(PT, LEAF12);
	return 0;
}

static struct ept02_result touch_sub_page(u64 eptp12, u64 spptp12, u64 address, u64 qualification)
{
	const struct ept02_miss miss = {
		.eptp12 = eptp12, .address = l2_gpa(address), .qualification = qualification, .spptp12 = spptp12
	};
	struct ept02_result result;

	(void)ept02_spptp(&world.ept02, eptp12, spptp12);
	result = ept02_handle(&world.ept02, &miss);
	model_audit(&world.ept02);
	return result;
}

static enum ept02_outcome write_at(u64 address)
{
	return touch_sub_page(EPTP, SPPTP, address, EPT_ACCESS_WRITE | LINEAR).outcome;
}

/* What hardware finds in SPPT02 for a page. */
static u64 vector_of(u64 eptp12, u64 spptp12, u64 address)
{
	u64 root = ept02_spptp(&world.ept02, eptp12, spptp12);
	const u64 *vector = spp02_vector(phys_to_ptr(hpa(root)), l2_gpa(address), NULL, NULL);

	return vector ? *vector : 0;
}

static void a_write_that_a_sub_page_allows_takes_its_vector_along(void **state)
{
	(void)state;
	assert_int_equal(write_at(0x17f), EPT02_FILLED);
	assert_true(seen(0).value == (LEAF02 | EPT_SUB_PAGES));
	assert_int_equal(vector_of(EPTP, SPPTP, 0), BIT(0) | BIT(4));
	/* Hardware had all this and refused: the write reaches into the next one. */
	assert_int_equal(write_at(0x17f), EPT02_VIOLATION);
	assert_true(seen(0).value == 0);
}

static void a_write_that_no_sub_page_allows_is_a_violation(void **state)
{
	struct ept02_result result = touch_sub_page(EPTP, SPPTP, 0x80, EPT_ACCESS_WRITE | EPT_ACCESS_READ | LINEAR);

	(void)state;
	assert_int_equal(result.outcome, EPT02_VIOLATION);
	assert_int_equal(result.qualification, EPT_ACCESS_WRITE | EPT_ACCESS_READ | LINEAR | (EPT_READ | EPT_EXECUTE) << 3);
	assert_true(result.entry == LEAF12);
	/* The others, too, where the page is not one for it. */
	put(PT, LEAF12 & ~EPT_SUB_PAGES);
	assert_int_equal(write_at(0), EPT02_VIOLATION);
	put(PT, LEAF12 & ~EPT_READ);
	assert_int_equal(write_at(0), EPT02_VIOLATION);
	put(PT, LEAF12);
	assert_int_equal(touch_sub_page(EPTP, 0, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_VIOLATION);
	assert_int_equal(touch_sub_page(EPTP, SPPTP, 0, EPT_ACCESS_WRITE | BIT(7)).outcome, EPT02_VIOLATION);
	put(PD, 0x400000 | EPT_READ | WB | EPT_LARGE | EPT_SUB_PAGES);
	assert_int_equal(write_at(0), EPT02_VIOLATION);
}

static void a_writable_page_does_not_ask_its_sub_pages(void **state)
{
	(void)state;
	put(PT, LEAF12 | EPT_WRITE);
	assert_int_equal(write_at(0x80), EPT02_FILLED);
	assert_true(seen(0).value == (LEAF02 | EPT_WRITE));
}

static void tables_that_do_not_tell_are_an_event(void **state)
{
	static const struct {
		u64 at, value, qualification;
	} cases[] = {
		{ SPPT, 0, BIT(11) }, { SPPT + 0x1000, 0, BIT(11) }, { SPPT + 0x2000, 0xfffffffffffffffe, BIT(11) },
		{ SPPT, (SPPT + 0x1000) | 3, 0 }, { SPPT + 0x1000, (SPPT + 0x2000) | 1 | BIT(40), 0 },
		{ SPPT + 0x2000, (SPPT + 0x3000) | 1 | BIT(63), 0 }, { SPPT + 0x3000, 3, 0 }, { SPPT + 0x3000, BIT(63), 0 },
	};

	for (unsigned int i = 0; i < array_size(cases); i++) {
		struct ept02_result result;

		begin_sub_pages(state);
		put(cases[i].at, cases[i].value);
		result = touch_sub_page(EPTP, SPPTP, 0, EPT_ACCESS_WRITE | LINEAR | BIT(12));
		assert_int_equal(result.outcome, EPT02_SPP_EVENT);
		assert_int_equal(result.qualification, cases[i].qualification | BIT(12));
		assert_true(seen(0).value == 0);
	}
}

static void a_vector_that_changed_is_taken_anew(void **state)
{
	(void)state;
	assert_int_equal(write_at(0), EPT02_FILLED);
	put(SPPT + 0x3000, BIT(2));
	assert_int_equal(vector_of(EPTP, SPPTP, 0), BIT(0) | BIT(4));
	forget_flushes();
	assert_int_equal(write_at(0x80), EPT02_FILLED);
	assert_int_equal(vector_of(EPTP, SPPTP, 0), BIT(2));
	/* What it does not allow any more may be cached. */
	assert_true(world.ept02.flush_needed);
	ept02_invalidate_single(&world.ept02, EPTP);
	assert_int_equal(vector_of(EPTP, SPPTP, 0), 0);
	assert_true(seen(0).value == 0);
}

static void another_sppt_begins_afresh(void **state)
{
	(void)state;
	put(SPPT + 0x8000, (SPPT + 0x1000) | 1);
	assert_int_equal(write_at(0), EPT02_FILLED);
	assert_int_equal(vector_of(EPTP, SPPTP + 0x8000, 0), 0);
	assert_true(seen(0).value == 0);
	assert_int_equal(touch_sub_page(EPTP, SPPTP + 0x8000, 0, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
	/* Without the control nothing changes: bit 61 of a leaf is ignored then. */
	assert_int_equal(ept02_spptp(&world.ept02, EPTP, 0), 0);
	assert_true(seen(0).value == (LEAF02 | EPT_SUB_PAGES));
}

static void the_dirty_flag_is_set_before_hardware_asks_alone(void **state)
{
	struct page_log log = page_log_at(511);
	struct ept02_miss miss = {
		.eptp12 = EPTP_FLAGS, .address = l2_gpa(0), .qualification = EPT_ACCESS_READ | LINEAR, .log = &log, .spptp12 = SPPTP
	};

	(void)state;
	(void)ept02_spptp(&world.ept02, EPTP_FLAGS, SPPTP);
	assert_int_equal(ept02_handle(&world.ept02, &miss).outcome, EPT02_FILLED);
	assert_true(seen_by(EPTP_FLAGS, 0).value == (LEAF02 | EPT_ACCESSED));
	miss.qualification = EPT_ACCESS_WRITE | LINEAR;
	log.index = 512;
	assert_int_equal(ept02_handle(&world.ept02, &miss).outcome, EPT02_LOG_FULL);
	assert_int_equal(get(PT) & EPT_DIRTY, 0);
	log.index = 511;
	assert_int_equal(ept02_handle(&world.ept02, &miss).outcome, EPT02_FILLED);
	assert_int_equal(get(PT) & EPT_DIRTY, EPT_DIRTY);
	assert_int_equal(log.index, 510);
	assert_true(seen_by(EPTP_FLAGS, 0).value == (LEAF02 | EPT_SUB_PAGES | EPT_ACCESSED | EPT_DIRTY));
}

static void the_smallest_pool_has_room_for_vectors(void **state)
{
	begin_sub_pages(state);
	world_begin(&world, CAPS, CAPS, EPT02_MIN_PAGES);
	for (u64 i = 0; i < 40; i++) {
		u64 eptp12 = EPTP + (i % 3) * 0x1000000;
		u64 address = i << 39 | i << 30 | i << 21;

		put((eptp12 & EPTP_ADDRESS) + i * 8, PDPT | EPT_RWX);
		put(PDPT + i * 8, PD | EPT_RWX);
		put(PD + i * 8, PT | EPT_RWX);
		put(PT, LEAF12);
		put(SPPT + i * 8, (SPPT + 0x1000) | 1);
		put(SPPT + 0x1000 + i * 8, (SPPT + 0x2000) | 1);
		put(SPPT + 0x2000 + i * 8, (SPPT + 0x3000) | 1);
		put(SPPT + 0x3000, BIT(0));
		assert_int_equal(touch_sub_page(eptp12, SPPTP, address, EPT_ACCESS_WRITE | LINEAR).outcome, EPT02_FILLED);
		assert_int_equal(vector_of(eptp12, SPPTP, address), BIT(0));
	}
	assert_true(world.ept02.recycled > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_fetch_from_a_page_for_one_mode_is_refused_at_the_second_miss, begin_modes),
		cmocka_unit_test_setup(a_fetch_from_a_page_for_both_modes_or_none_needs_no_second_look, begin_modes),
		cmocka_unit_test_setup(a_violation_tells_both_execute_permissions, begin_modes),
		cmocka_unit_test_setup(a_permission_that_was_taken_away_is_flushed, begin_modes),
		cmocka_unit_test_setup(the_same_tables_serve_with_and_without_the_control, begin_modes),
		cmocka_unit_test(the_controls_are_part_of_what_ept02_goes_by),
		cmocka_unit_test_setup(the_page_of_a_write_is_logged_when_it_gets_dirty, begin),
		cmocka_unit_test_setup(a_full_log_ends_an_access_before_its_flags_are_set, begin),
		cmocka_unit_test_setup(without_flags_in_the_eptp_nothing_is_logged, begin),
		cmocka_unit_test_setup(a_write_that_a_sub_page_allows_takes_its_vector_along, begin_sub_pages),
		cmocka_unit_test_setup(a_write_that_no_sub_page_allows_is_a_violation, begin_sub_pages),
		cmocka_unit_test_setup(a_writable_page_does_not_ask_its_sub_pages, begin_sub_pages),
		cmocka_unit_test_setup(tables_that_do_not_tell_are_an_event, begin_sub_pages),
		cmocka_unit_test_setup(a_vector_that_changed_is_taken_anew, begin_sub_pages),
		cmocka_unit_test_setup(another_sppt_begins_afresh, begin_sub_pages),
		cmocka_unit_test_setup(the_dirty_flag_is_set_before_hardware_asks_alone, begin_sub_pages),
		cmocka_unit_test_setup(the_smallest_pool_has_room_for_vectors, begin),
	};

	return cmocka_run_group_tests_name("ept02_features", tests, NULL, NULL);
}
