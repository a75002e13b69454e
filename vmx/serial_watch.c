/* SPDX-License-Identifier: MIT */
/*
 * See vmx/serial_watch.h. Data, line control and modem control exit always, so that none of them changes between L0's look and its read;
 * the line status only while the guest is to see in it a byte that L0 keeps.
 */
#include "vmx/serial_watch.h"

#include "arch/bits.h"
#include "arch/compiler.h"

#define UNREAD_TICKS UINT64_C(150000000)
/* Where the guest would come for it by itself, or L0 does not see what it reads and what L0 takes is lost to it. */
#define UNREAD_LONG_TICKS UINT64_C(2000000000)
/* So often for that, as each look at the line status may take a break or an error from the driver that was about to read it. */
#define RARE_LOOK_TICKS (UNREAD_LONG_TICKS / 4)
/* For a byte at a low speed, after the end of loopback. */
#define LOOP_TICKS UINT64_C(4000000000)
#define LOOK_BYTES 64u

static const u8 watched[] = { UART_DATA, UART_LINE_CONTROL, UART_MODEM_CONTROL };

static u16 port_of(const struct serial_watch *watch, u32 reg)
{
	return (u16)(watch->uart.at.base + reg * watch->uart.at.stride);
}

static void set_bit(const struct serial_watch *watch, u32 reg, bool exits)
{
	u16 port = port_of(watch, reg);
	u8 bit = (u8)(1u << port % 8);

	if (exits)
		(void)__atomic_fetch_or(&watch->bitmaps[port / 8], bit, __ATOMIC_SEQ_CST);
	else
		(void)__atomic_fetch_and(&watch->bitmaps[port / 8], (u8)~bit, __ATOMIC_SEQ_CST);
}

void serial_watch_init(struct serial_watch *watch, const struct handoff_uart *at, u8 key, u8 *bitmaps)
{
	*watch = (struct serial_watch){ .uart.at = *at };
	if (key == 0 || !uart_answers(&watch->uart))
		return;
	watch->key = key;
	if (bitmaps == NULL || at->kind != CONSOLE_PORT_16550)
		return;
	watch->bitmaps = bitmaps;
	for (u32 i = 0; i < array_size(watched); i++)
		set_bit(watch, watched[i], true);
}

void serial_watch_end(struct serial_watch *watch)
{
	if (watch->bitmaps) {
		for (u32 i = 0; i < array_size(watched); i++)
			set_bit(watch, watched[i], false);
		set_bit(watch, UART_LINE_STATUS, false);
	}
	watch->key = 0;
}

static bool is_register(const struct serial_watch *watch, u32 port, enum uart_register *reg)
{
	u32 offset = port - (u32)watch->uart.at.base;

	if (offset % watch->uart.at.stride != 0 || offset / watch->uart.at.stride >= UART_REGISTERS)
		return false;
	*reg = (enum uart_register)(offset / watch->uart.at.stride);
	return true;
}

bool serial_watch_touches(const struct serial_watch *watch, u16 port, u32 size)
{
	enum uart_register reg;

	if (watch->bitmaps == NULL)
		return false;
	for (u32 at = port; at < (u32)port + size; at++) {
		if (!is_register(watch, at, &reg))
			continue;
		if (reg == UART_LINE_STATUS)
			return true;
		for (u32 i = 0; i < array_size(watched); i++)
			if (watched[i] == reg)
				return true;
	}
	return false;
}

static bool shows_divisor(const struct serial_watch *watch)
{
	return uart_get(&watch->uart, UART_LINE_CONTROL) & LINE_CONTROL_DIVISOR;
}

/*
 * Does the receiver have a byte? Keeps account of where it comes from: what lies there after loopback is the guest's, and
 * when that has been read, one more. The line status loses its error bits by this; a driver reads it before the data.
 */
static bool has_byte(struct serial_watch *watch, u64 now)
{
	u8 status;

	if (uart_get(&watch->uart, UART_MODEM_CONTROL) & MODEM_CONTROL_LOOP) {
		watch->origin = SERIAL_LOOPED;
		watch->looped_at = now;
	}
	status = uart_get(&watch->uart, UART_LINE_STATUS);
	if (status != 0xff && (status & LINE_STATUS_BYTE))
		return true;
	if (watch->origin != SERIAL_OUTSIDE)
		watch->origin = now - watch->looped_at > LOOP_TICKS ? SERIAL_OUTSIDE : SERIAL_LAST_LOOPED;
	return false;
}

/* Takes the byte that has_byte() has found. Is it the key, from outside? */
static bool take_byte(struct serial_watch *watch, u8 *byte)
{
	bool outside = watch->origin == SERIAL_OUTSIDE;

	if (watch->origin == SERIAL_LAST_LOOPED)
		watch->origin = SERIAL_OUTSIDE;
	*byte = uart_get(&watch->uart, UART_DATA);
	return outside && *byte == watch->key;
}

/* --- bytes that L0 has taken -------------------------------------------------------- */

void serial_watch_keep(struct serial_watch *watch, u8 byte)
{
	/* Which the guest would never get. */
	if (watch->bitmaps == NULL || watch->key == 0)
		return;
	if (watch->kept_count == SERIAL_KEPT) {
		watch->kept_first++;
		watch->kept_count--;
	}
	watch->kept[(watch->kept_first + watch->kept_count++) % SERIAL_KEPT] = byte;
	set_bit(watch, UART_LINE_STATUS, true);
}

static u8 take_kept(struct serial_watch *watch)
{
	u8 byte = watch->kept[watch->kept_first++ % SERIAL_KEPT];

	if (--watch->kept_count == 0)
		set_bit(watch, UART_LINE_STATUS, false);
	return byte;
}

/* --- what the guest does ------------------------------------------------------------ */

static bool read_data(struct serial_watch *watch, u64 now, u8 *value)
{
	watch->waits = false;
	if (shows_divisor(watch)) {
		*value = uart_get(&watch->uart, UART_DATA);
		return false;
	}
	if (watch->kept_count != 0) {
		*value = take_kept(watch);
		return false;
	}
	if (!has_byte(watch, now)) {
		/* Some give the last byte once more. */
		*value = uart_get(&watch->uart, UART_DATA);
		return false;
	}
	/* L0's own output, on another processor, may have hidden the divisor for a moment. */
	return take_byte(watch, value) && !shows_divisor(watch);
}

bool serial_watch_in(struct serial_watch *watch, u16 port, u64 now, u8 *value)
{
	enum uart_register reg;

	*value = 0xff;
	if (!is_register(watch, port, &reg))
		return false;
	if (reg == UART_DATA)
		return read_data(watch, now, value);
	*value = uart_get(&watch->uart, reg);
	if (reg == UART_LINE_STATUS && watch->kept_count != 0)
		*value |= LINE_STATUS_BYTE;
	return false;
}

u8 serial_watch_instead(struct serial_watch *watch, u64 now)
{
	u8 value;

	if (watch->kept_count != 0)
		return take_kept(watch);
	if (shows_divisor(watch) || !has_byte(watch, now) || take_byte(watch, &value))
		return SERIAL_INSTEAD;
	return value;
}

void serial_watch_out(struct serial_watch *watch, u16 port, u64 now, u8 value)
{
	enum uart_register reg;

	if (!is_register(watch, port, &reg))
		return;
	if (reg == UART_MODEM_CONTROL)
		(void)has_byte(watch, now);
	uart_put(&watch->uart, reg, value);
	if (reg == UART_MODEM_CONTROL)
		(void)has_byte(watch, now);
}

/* --- what it leaves lying ----------------------------------------------------------- */

static bool is_nobodys(struct serial_watch *watch, u64 now)
{
	return !shows_divisor(watch) && has_byte(watch, now) && watch->origin != SERIAL_LOOPED;
}

/* A driver that is interrupted will come and fetch it, unless the guest hangs. */
static bool may_be_fetched(const struct serial_watch *watch)
{
	return !watch->bitmaps || shows_divisor(watch) || (uart_get(&watch->uart, UART_INTERRUPTS) & INTERRUPTS_BYTE);
}

bool serial_watch_look(struct serial_watch *watch, u64 now)
{
	bool waited = watch->waits, rarely = may_be_fetched(watch);

	__atomic_store_n(&watch->next_look, now + SERIAL_LOOK_TICKS, __ATOMIC_RELAXED);
	if (rarely && now - watch->looked_at < RARE_LOOK_TICKS)
		return false;
	watch->looked_at = now;
	watch->waits = is_nobodys(watch, now);
	if (!watch->waits)
		return false;
	if (!waited)
		watch->waits_since = now;
	if (now - watch->waits_since < (rarely ? UNREAD_LONG_TICKS : UNREAD_TICKS))
		return false;
	watch->waits = false;
	for (u32 i = 0; i < LOOK_BYTES && has_byte(watch, now); i++) {
		u8 byte;
		bool is_key = take_byte(watch, &byte);

		/* As in read_data(): it may have been hidden. */
		if (shows_divisor(watch))
			return false;
		if (is_key)
			return true;
		serial_watch_keep(watch, byte);
	}
	return false;
}
