/* SPDX-License-Identifier: MIT */
/* Breakpoints against one access to data or ports. SDM "Debug Registers", "Breakpoint Field Recognition". */

#include "vmx/breakpoints.h"

#include "arch/bits.h"
#include "vmx/events.h"

/* R/W of DR7, as sets of the conditions that an access meets. */
#define ON_READ BIT(3)
#define ON_WRITE (BIT(1) | BIT(3))
#define ON_PORT BIT(2)

/* LEN: 1, 2, 8 and 4 bytes. */
static u64 length_of(u64 dr7, u32 number)
{
	static const u8 lengths[] = { 1, 2, 8, 4 };

	return lengths[(dr7 >> (18 + 4 * number)) & 3];
}

static bool is_met(const struct breakpoints *breakpoints, u32 number, u64 address, u32 size, u64 conditions)
{
	u64 condition = (breakpoints->dr7 >> (16 + 4 * number)) & 3;
	u64 length = length_of(breakpoints->dr7, number);
	u64 first = breakpoints->address[number] & ~(length - 1);

	return (conditions >> condition & 1) && first + length - 1 >= address && first <= address + size - 1;
}

static u64 hit(const struct breakpoints *breakpoints, u64 address, u32 size, u64 conditions)
{
	u64 met = 0;
	bool enabled = false;

	for (u32 number = 0; number < 4; number++) {
		if (!is_met(breakpoints, number, address, size, conditions))
			continue;
		/* One that is met is told even when only another is enabled. */
		met |= BIT(number);
		enabled |= ((breakpoints->dr7 >> (2 * number)) & 3) != 0;
	}
	return enabled ? met | PENDING_DEBUG_ENABLED_BREAKPOINT : 0;
}

u64 breakpoints_hit(const struct breakpoints *breakpoints, u64 linear, u32 size, bool write)
{
	return hit(breakpoints, linear, size, write ? ON_WRITE : ON_READ);
}

u64 breakpoints_hit_port(const struct breakpoints *breakpoints, u16 port, u32 size)
{
	return hit(breakpoints, port, size, ON_PORT);
}
