/* SPDX-License-Identifier: MIT */
/* Data breakpoints against one access. SDM "Debug Registers", "Breakpoint Field Recognition". */

#include "vmx/breakpoints.h"

#include "arch/bits.h"
#include "vmx/events.h"

#define CONDITION_WRITE 1
#define CONDITION_READ_WRITE 3

/* LEN: 1, 2, 8 and 4 bytes. */
static u64 length_of(u64 dr7, u32 number)
{
	static const u8 lengths[] = { 1, 2, 8, 4 };

	return lengths[(dr7 >> (18 + 4 * number)) & 3];
}

static bool is_met(const struct breakpoints *breakpoints, u32 number, u64 linear, u32 size, bool write)
{
	u64 condition = (breakpoints->dr7 >> (16 + 4 * number)) & 3;
	u64 length = length_of(breakpoints->dr7, number);
	u64 first = breakpoints->address[number] & ~(length - 1);

	if (condition != CONDITION_READ_WRITE && !(write && condition == CONDITION_WRITE))
		return false;
	return first + length - 1 >= linear && first <= linear + size - 1;
}

u64 breakpoints_hit(const struct breakpoints *breakpoints, u64 linear, u32 size, bool write)
{
	u64 met = 0;
	bool enabled = false;

	for (u32 number = 0; number < 4; number++) {
		if (!is_met(breakpoints, number, linear, size, write))
			continue;
		/* One that is met is told even when only another is enabled. */
		met |= BIT(number);
		enabled |= ((breakpoints->dr7 >> (2 * number)) & 3) != 0;
	}
	return enabled ? met | PENDING_DEBUG_ENABLED_BREAKPOINT : 0;
}
