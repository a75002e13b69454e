/* SPDX-License-Identifier: MIT */
/*
 * Faults on purpose, in images of their own: one for each number, compiled with
 * -DTESTUDO_SELF_TEST=number (`make SELF_TEST=number`). tests/emu/suite_kernel.py
 * boots them and reads these numbers. The release image has nothing of this.
 */
#pragma once

#include "boot/root/cpu_area.h"

/* These must end in a panic. */
#define SELF_TEST_PANIC 1
#define SELF_TEST_WRITE_TO_CODE 2
#define SELF_TEST_WRITE_TO_CONSTANT 3
#define SELF_TEST_RUN_DATA 4
#define SELF_TEST_RUN_L1_MEMORY 5
#define SELF_TEST_PAGE_0 6
#define SELF_TEST_BLOCK_HIDDEN 7
#define SELF_TEST_GUARD_PAGE 8
#define SELF_TEST_STRAY_FAULT 9
#define SELF_TEST_PANIC_OF_LAST 12
#define SELF_TEST_LOCK_ORDER 13
#define SELF_TEST_LOCK_AT_ENTRY 14
#define SELF_TEST_LINE_INTERRUPTED 15
#define SELF_TEST_CONSOLE_OWNER_GONE 16
#define SELF_TEST_MACHINE_CHECK 17
#define SELF_TEST_MACHINE_CHECK_BANKS 18
#define SELF_TEST_MACHINE_CHECK_ENTRY 19
#define SELF_TEST_LOCK_RANKS_EQUAL 23
/* Then the processors start anew, with memory as it is: tests/emu/suite_console.py. */
#define SELF_TEST_PANIC_THEN_RESET 40
/* These end in one when L1 does something: tests/guests/stop. */
#define SELF_TEST_PANIC_AT_RDPMC 20
#define SELF_TEST_PANIC_AT_MONITOR 21
#define SELF_TEST_PANIC_AT_INVLPG 22
#define SELF_TEST_PANIC_OF_OTHER_AT_RDPMC 24
/* After these L1 must start as ever. */
#define SELF_TEST_MSR_FIXUP 10
#define SELF_TEST_NMI 11
/* And after this it is offered what the processor does not have, so that VM entry finds it out. */
#define SELF_TEST_LACKING_CHECKS 25

#ifdef TESTUDO_SELF_TEST
/* To be called with vmcs01 built and current, before the first VM entry. */
void self_test(struct cpu_area *area);
#else
static inline void self_test(struct cpu_area *area)
{
	(void)area;
}
#endif
