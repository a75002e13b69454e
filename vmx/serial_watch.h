/* SPDX-License-Identifier: MIT */
/*
 * The key that opens the monitor, found in what comes in at the console's UART while the guests use it too: what an access of theirs means,
 * and bytes that none of them fetches. What a guest sends to itself (loopback), has as a divisor, or reads once more is not the key.
 * The state and its rules; locks, exits and registers are handle_serial.c's. Time is the TSC. Pure, over drivers/uart.h.
 */
#pragma once

#include "drivers/uart.h"

#define SERIAL_KEPT 16

/* From one look to the next: milliseconds on the processors of today, seconds on none. */
#define SERIAL_LOOK_TICKS UINT64_C(30000000)

/* A byte for a driver that was promised one when the key came: terminals take it for "go on sending". */
#define SERIAL_INSTEAD 0x11

/* Loopback gives the guest its own bytes; after it one more may still be on its way. */
enum serial_origin { SERIAL_OUTSIDE, SERIAL_LOOPED, SERIAL_LAST_LOOPED };

struct serial_watch {
	struct uart uart;
	u8 key;				/* 0: nothing is watched */
	u8 *bitmaps;			/* L1's I/O bitmaps; NULL: accesses to the UART do not exit */
	enum serial_origin origin;	/* of the next byte in the receiver */
	u64 looped_at;
	bool waits;			/* a byte lay there at the last look, and nobody has fetched it since */
	u64 waits_since, looked_at, next_look;
	u8 kept[SERIAL_KEPT];		/* taken by L0, for the guest to read */
	u32 kept_first, kept_count;
};

/* `bitmaps` get their bits. Without a key nothing is watched. */
void serial_watch_init(struct serial_watch *watch, const struct handoff_uart *at, u8 key, u8 *bitmaps);

/* Gives it up: the guest does what L0 cannot follow. */
void serial_watch_end(struct serial_watch *watch);

/* Does an access of `size` bytes at this port touch a register that is watched, though perhaps not at this moment? */
bool serial_watch_touches(const struct serial_watch *watch, u16 port, u32 size);

/* The guest's IN of one byte. True: that was the key, and `value` is to be serial_watch_instead()'s, once the monitor is closed. */
bool serial_watch_in(struct serial_watch *watch, u16 port, u64 now, u8 *value);
u8 serial_watch_instead(struct serial_watch *watch, u64 now);

/* Its OUT of one byte. */
void serial_watch_out(struct serial_watch *watch, u16 port, u64 now, u8 value);

/* Is a look due? Also where the next one is further away than it ever was: L1 has set the TSC back. */
static inline bool serial_watch_is_due(const struct serial_watch *watch, u64 now)
{
	return watch->key && __atomic_load_n(&watch->next_look, __ATOMIC_RELAXED) - 1 - now >= SERIAL_LOOK_TICKS;
}

/* Has the key come, and lain there, as no guest reads the port? */
bool serial_watch_look(struct serial_watch *watch, u64 now);

/* A byte that L0 has taken and the guest is to have. Where there is no room the oldest one is lost, as in the UART the newest. */
void serial_watch_keep(struct serial_watch *watch, u8 byte);
