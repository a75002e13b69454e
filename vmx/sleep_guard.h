/* SPDX-License-Identifier: MIT */
/*
 * Keeps the guest from suspending the machine to RAM, which would bring every
 * processor back outside of VMX operation: watches the ports of ACPI's sleep
 * registers (boot/handoff.h) and says what may be written there. Pure.
 */
#pragma once

#include "boot/handoff.h"

/* SDM "I/O-Bitmap Addresses": bitmap A for ports 0 to 7fffH, bitmap B behind it. */
#define IO_BITMAP_BYTES 8192

/* Sets the bits of all watched ports. */
void sleep_guard_watch(u8 *bitmaps, const struct handoff_sleep_port *ports, u32 count);

/* Does an access of `size` bytes exit under these bitmaps? Not asked for one that wraps around at port 0. */
bool sleep_guard_exits(const u8 *bitmaps, u16 port, u32 size);

/*
 * What is to be written in place of `value`: the same, without SLP_EN where the
 * sleep would lose the processors' context. `refused` is then set.
 */
u32 sleep_guard_filter(const struct handoff_sleep_port *ports, u32 count, u16 port, u32 size, u32 value, bool *refused);
