/* SPDX-License-Identifier: MIT */
/*
 * Uses locks as L0 must not: see boot/root/self_test_locks.h. Every case ends in a
 * panic, whose dump must be whole whoever has the console. Self tests only.
 */
#include "boot/root/self_test_locks.h"

#include "boot/root/self_test.h"
#include "drivers/console.h"
#include "drivers/lock.h"
#include "drivers/panic.h"

#define NO_SUCH_CPU 0x7fffffffu

static struct lock lower = LOCK("self test, lower", LOCK_RANK_EPT01);
static struct lock equal = LOCK("self test, equal", LOCK_RANK_EPT01);

/* In order, twice; then not. */
static void take_after(struct lock *first)
{
	for (u32 i = 0; i < 2; i++) {
		lock_take(&lower);
		lock_take(&console_lock);
		lock_release(&console_lock);
		lock_release(&lower);
	}
	log_error("self test: the order was right so far");
	lock_take(first);
	lock_take(&lower);
}

void self_test_locks(u32 number)
{
	switch (number) {
	case SELF_TEST_LOCK_ORDER:
		take_after(&console_lock);
		break;
	case SELF_TEST_LOCK_RANKS_EQUAL:
		take_after(&equal);
		break;
	case SELF_TEST_LOCK_AT_ENTRY:
		lock_take(&lower);
		break;
	case SELF_TEST_LINE_INTERRUPTED:
		lock_take(&console_lock);
		panic("self test: panic in the middle of a line");
	case SELF_TEST_CONSOLE_OWNER_GONE:
		console_lock.owner = NO_SUCH_CPU;
		panic("self test: panic while a processor that is gone has the console");
	default:
		panic("no such self test: %u", number);
	}
}
