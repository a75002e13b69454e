/* SPDX-License-Identifier: MIT */
/*
 * See vmx/sleep_guard.h. SLP_TYP and SLP_EN lie in one byte, so each byte of an access
 * can be judged for itself. ACPI "PM1 Control Registers", "Sleep Control Register".
 */
#include "vmx/sleep_guard.h"

#include "arch/bits.h"

#define SLP_TYP BITS(4, 2)
#define SLP_EN BIT(5)

void sleep_guard_watch(u8 *bitmaps, const struct handoff_sleep_port *ports, u32 count)
{
	for (u32 i = 0; i < count; i++)
		bitmaps[ports[i].port / 8] |= (u8)(1u << ports[i].port % 8);
}

bool sleep_guard_exits(const u8 *bitmaps, u16 port, u32 size)
{
	for (u32 at = port; at < (u32)port + size; at++)
		if (at <= 0xffff && (bitmaps[at / 8] >> at % 8 & 1))
			return true;
	return false;
}

static bool may_pass(const struct handoff_sleep_port *port, u8 byte)
{
	return !(byte & SLP_EN) || (port->allowed >> field_get(byte, SLP_TYP) & 1);
}

u32 sleep_guard_filter(const struct handoff_sleep_port *ports, u32 count, u16 port, u32 size, u32 value, bool *refused)
{
	*refused = false;
	for (u32 i = 0; i < count; i++) {
		u32 offset = (u32)(u16)(ports[i].port - port);

		if (offset >= size || may_pass(&ports[i], (u8)(value >> 8 * offset)))
			continue;
		value &= ~((u32)SLP_EN << 8 * offset);
		*refused = true;
	}
	return value;
}
