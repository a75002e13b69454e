/* SPDX-License-Identifier: MIT */
/*
 * Makes machine checks: see boot/root/self_test_mca.h. The vector is raised by INT,
 * which comes in as the exception does, on its own stack. Self tests only.
 */
#include "boot/root/self_test_mca.h"

#include "boot/root/self_test.h"
#include "drivers/console.h"
#include "drivers/mca_dump.h"
#include "drivers/panic.h"
#include "vmx/exits.h"

/* In the middle of a line, as it may be. */
static noreturn void raise(void)
{
	log_error("self test: machine check");
	lock_take(&console_lock);
	__asm__ volatile("int $18");
	panic("self test: the machine check was survived");
}

static noreturn void print_banks(void)
{
	static const struct mca_state state = {
		.cap = 0x1000c04, .status = 0x5, .bank_count = 4,
		.banks = {
			[1] = { .status = 0xbe00000000100151, .address = 0x123456000, .misc = 0x8c },
			[3] = { .status = 0x9c000040000100cf, .address = 0xfeed0000, .misc = 0x86 },
		},
	};

	mca_print(&state, "made up by a self test");
	panic("self test: banks are printed");
}

noreturn void self_test_mca(struct cpu_area *area, u32 number)
{
	const struct vm_exit exit = { .reason = EXIT_MACHINE_CHECK_ENTRY | EXIT_REASON_ENTRY_FAILURE,
				      .basic = EXIT_MACHINE_CHECK_ENTRY, .entry_failure = true };

	switch (number) {
	case SELF_TEST_MACHINE_CHECK:
		raise();
	case SELF_TEST_MACHINE_CHECK_BANKS:
		print_banks();
	case SELF_TEST_MACHINE_CHECK_ENTRY:
		handle_machine_check(&area->vcpu, &exit);
		break;
	default:
		break;
	}
	panic("self test %u ended without a panic", number);
}
