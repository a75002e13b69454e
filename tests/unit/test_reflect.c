/* SPDX-License-Identifier: MIT */
/*
 * To whom an exit of L2 belongs, where more than one control decides (the rest
 * of the table: test_exits.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/reflect.h"

#define NMI_INFORMATION 0x80000202
#define PAGE_FAULT_INFORMATION 0x80000b0e

static struct builder builder;
static struct vm_exit leaving;
static struct reflect_question question;

static void start(u32 reason)
{
	builder_init(&builder, BUILD_LONG);
	leaving = (struct vm_exit){ .reason = reason, .basic = (u16)reason };
	question = (struct reflect_question){ .vmcs12 = &builder.vmcs12, .exit = &leaving };
}

static void control12(enum control_word word, u32 mask, bool on)
{
	u32 value = vmcs12_control(&builder.vmcs12, word);

	vmcs12_set(&builder.vmcs12, control_fields[word], on ? value | mask : value & ~mask);
}

/* Expect: L0 intercepts no exceptions, so one that exits was asked for by L1. */
static void exceptions_are_l1s(void **state)
{
	(void)state;
	start(EXIT_EXCEPTION_OR_NMI);
	leaving.interruption_information = PAGE_FAULT_INFORMATION;
	assert_int_equal(reflect(&question), OWNER_L1);
	control12(WORD_PIN, PIN_NMI_EXITING, true);
	assert_int_equal(reflect(&question), OWNER_L1);
}

static void an_nmi_is_l1s_only_with_nmi_exiting(void **state)
{
	(void)state;
	start(EXIT_EXCEPTION_OR_NMI);
	leaving.interruption_information = NMI_INFORMATION;
	assert_int_equal(reflect(&question), OWNER_L0);
	control12(WORD_PIN, PIN_NMI_EXITING, true);
	assert_int_equal(reflect(&question), OWNER_L1);
}

/* Expect: L1's own window goes before the NMI that L0 holds. */
static void an_nmi_window_is_l1s_if_it_asked_for_one(void **state)
{
	(void)state;
	start(EXIT_NMI_WINDOW);
	assert_int_equal(reflect(&question), OWNER_L0);
	control12(WORD_PROC, PROC_NMI_WINDOW_EXITING, true);
	assert_int_equal(reflect(&question), OWNER_L1);
}

static void without_msr_bitmaps_every_msr_is_l1s(void **state)
{
	(void)state;
	start(EXIT_RDMSR);
	control12(WORD_PROC, PROC_USE_MSR_BITMAPS, false);
	question.msr = 0x3a;
	assert_int_equal(reflect(&question), OWNER_L1);
	start(EXIT_WRMSR);
	control12(WORD_PROC, PROC_USE_MSR_BITMAPS, false);
	assert_int_equal(reflect(&question), OWNER_L1);
}

static void start_msr(u32 reason, u32 msr)
{
	start(reason);
	control12(WORD_PROC, PROC_USE_MSR_BITMAPS, true);
	question.msr = msr;
}

/* Expect: what they say is for bitmaps02.c to find out. */
static void msrs_that_bitmaps_cover_are_for_the_bitmaps(void **state)
{
	static const u32 msrs[] = { 0, 0x3a, 0x480, 0x1fff, 0xc0000000, 0xc0000080, 0xc0001fff };

	(void)state;
	for (u32 i = 0; i < array_size(msrs); i++) {
		start_msr(EXIT_RDMSR, msrs[i]);
		assert_int_equal(reflect(&question), OWNER_BITMAPS);
		start_msr(EXIT_WRMSR, msrs[i]);
		assert_int_equal(reflect(&question), OWNER_BITMAPS);
	}
}

/* Expect: MSRs that no bitmap covers always exit, on a bare processor too. */
static void an_msr_outside_the_bitmap_is_l1s(void **state)
{
	static const u32 msrs[] = { 0x2000, 0x40000000, 0xc0002000, 0xffffffff };

	(void)state;
	for (u32 i = 0; i < array_size(msrs); i++) {
		start_msr(EXIT_RDMSR, msrs[i]);
		assert_int_equal(reflect(&question), OWNER_L1);
		start_msr(EXIT_WRMSR, msrs[i]);
		assert_int_equal(reflect(&question), OWNER_L1);
	}
}

/* --- I/O, where L0 watches ports ------------------------------------------------- */

static void start_io(u32 port, u32 size, bool unconditional, bool bitmaps)
{
	start(EXIT_IO_INSTRUCTION);
	question.watches_ports = true;
	leaving.qualification = (u64)port << 16 | (size - 1);
	control12(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, unconditional);
	control12(WORD_PROC, PROC_USE_IO_BITMAPS, bitmaps);
}

static void without_watched_ports_io_is_l1s(void **state)
{
	(void)state;
	start_io(0xb004, 2, false, true);
	question.watches_ports = false;
	assert_int_equal(reflect(&question), OWNER_L1);
}

static void unconditional_exits_are_l1s(void **state)
{
	(void)state;
	start_io(0xb004, 2, true, false);
	assert_int_equal(reflect(&question), OWNER_L1);
}

/* Expect: L1 asked for nothing, so L0's bitmaps made it exit; an access that wraps around always does. */
static void io_that_l1_does_not_ask_for_is_l0s(void **state)
{
	(void)state;
	start_io(0xb004, 2, false, false);
	assert_int_equal(reflect(&question), OWNER_L0);
	start_io(0xfffe, 4, false, false);
	assert_int_equal(reflect(&question), OWNER_L0);
}

/* Expect: unconditional exits count for nothing beside bitmaps; what wraps around exits whatever they say. */
static void with_io_bitmaps_the_bitmaps_decide(void **state)
{
	(void)state;
	start_io(0xb004, 2, false, true);
	assert_int_equal(reflect(&question), OWNER_BITMAPS);
	start_io(0x80, 1, true, true);
	assert_int_equal(reflect(&question), OWNER_BITMAPS);
	start_io(0xfffc, 4, false, true);
	assert_int_equal(reflect(&question), OWNER_BITMAPS);
	start_io(0xffff, 2, false, true);
	assert_int_equal(reflect(&question), OWNER_L1);
}

/* Expect: the walk of EPT12 decides, where there is one; else only L0 has an EPT. */
static void ept_exits_are_for_the_walk_of_ept12(void **state)
{
	static const u32 reasons[] = { EXIT_EPT_VIOLATION, EXIT_EPT_MISCONFIGURATION };

	(void)state;
	for (u32 i = 0; i < array_size(reasons); i++) {
		start(reasons[i]);
		assert_int_equal(reflect(&question), OWNER_EPT12);
		control12(WORD_PROC2, PROC2_ENABLE_EPT, false);
		assert_int_equal(reflect(&question), OWNER_L0);
		control12(WORD_PROC2, PROC2_ENABLE_EPT, true);
		control12(WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS, false);
		assert_int_equal(reflect(&question), OWNER_L0);
	}
}

/* Expect: an entry that failed is L1's doing, whatever the reason's rule. */
static void failed_entries_are_l1s(void **state)
{
	static const u32 reasons[] = { EXIT_INVALID_GUEST_STATE, EXIT_MSR_LOADING, EXIT_MACHINE_CHECK_ENTRY, EXIT_PML_FULL };

	(void)state;
	for (u32 i = 0; i < array_size(reasons); i++) {
		start(reasons[i]);
		leaving.reason |= EXIT_REASON_ENTRY_FAILURE;
		leaving.entry_failure = true;
		assert_int_equal(reflect(&question), OWNER_L1);
	}
}

static void unknown_reasons_are_l1s(void **state)
{
	static const u32 reasons[] = { 35, 38, 42, 74, 77, 78, 0xffff };

	(void)state;
	for (u32 i = 0; i < array_size(reasons); i++) {
		start(reasons[i]);
		assert_int_equal(reflect(&question), OWNER_L1);
	}
}

/* Expect: while L0 watches VTPR, MOV to CR8 and the MSR are its own where L1 did not ask for them. */
static void watched_task_priority_is_l0s(void **state)
{
	(void)state;
	start(EXIT_CR_ACCESS);
	leaving.qualification = 0x308;
	assert_int_equal(reflect(&question), OWNER_L1);
	question.watches_tpr = true;
	control12(WORD_PROC, PROC_CR8_LOAD_EXITING, false);
	assert_int_equal(reflect(&question), OWNER_L0);
	control12(WORD_PROC, PROC_CR8_LOAD_EXITING, true);
	assert_int_equal(reflect(&question), OWNER_L1);
	leaving.qualification = 0x303;
	assert_int_equal(reflect(&question), OWNER_L1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watched_task_priority_is_l0s),
		cmocka_unit_test(exceptions_are_l1s),
		cmocka_unit_test(an_nmi_is_l1s_only_with_nmi_exiting),
		cmocka_unit_test(an_nmi_window_is_l1s_if_it_asked_for_one),
		cmocka_unit_test(without_msr_bitmaps_every_msr_is_l1s),
		cmocka_unit_test(msrs_that_bitmaps_cover_are_for_the_bitmaps),
		cmocka_unit_test(an_msr_outside_the_bitmap_is_l1s),
		cmocka_unit_test(without_watched_ports_io_is_l1s),
		cmocka_unit_test(unconditional_exits_are_l1s),
		cmocka_unit_test(io_that_l1_does_not_ask_for_is_l0s),
		cmocka_unit_test(with_io_bitmaps_the_bitmaps_decide),
		cmocka_unit_test(ept_exits_are_for_the_walk_of_ept12),
		cmocka_unit_test(failed_entries_are_l1s),
		cmocka_unit_test(unknown_reasons_are_l1s),
	};

	return cmocka_run_group_tests_name("reflect", tests, NULL, NULL);
}
