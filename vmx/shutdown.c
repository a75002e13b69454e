/* SPDX-License-Identifier: MIT */
/* Reset of the machine: the chipset's reset register, then the keyboard controller, then a triple fault. */

#include "vmx/shutdown.h"

#include "arch/ops.h"
#include "drivers/console.h"
#include "drivers/panic.h"

#define RESET_CONTROL 0xcf9
#define KEYBOARD_COMMAND 0x64

noreturn void machine_reset(void)
{
	const struct descriptor_register none = { 0, 0 };

	out8(RESET_CONTROL, 0x02);
	out8(RESET_CONTROL, 0x06);
	out8(KEYBOARD_COMMAND, 0xfe);
	lidt(&none);
	__asm__ volatile("ud2");
	halt_forever();
}

noreturn void shutdown(const char *why)
{
	console_mark_end();
	log_error("%s; resetting the machine", why);
	machine_reset();
}
