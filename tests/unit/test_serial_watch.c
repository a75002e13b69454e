/* SPDX-License-Identifier: MIT */
/*
 * The key in what comes in at the console's UART: found when it is typed, and only then. A model of the UART has a receiver,
 * loopback and the divisor; what a guest reads is what it would have read without L0, but for the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmx/serial_watch.h"
#include "vmx/sleep_guard.h"

#define BASE 0x3f8
#define KEY 0x1d
#define MANY_TICKS UINT64_C(5000000000)

static struct {
	u8 reg[UART_REGISTERS], divisor;
	u8 input[64];
	u32 first, count;
	u8 last;			/* read once more where there is nothing new */
	u32 reads, status_reads;	/* of data; of the line status */
	bool absent;
	u32 hidden_for;			/* divisor: reads of the line status, for L0's output on another processor */
} uart;

static struct serial_watch watch;
static u8 bitmaps[IO_BITMAP_BYTES];
static u64 now;

static const struct handoff_uart port_console = { .base = BASE, .kind = CONSOLE_PORT_16550, .stride = 1, .width = 1 };

static void type(u8 byte)
{
	uart.input[(uart.first + uart.count++) % sizeof(uart.input)] = byte;
}

static bool shows_divisor(void)
{
	return uart.reg[UART_LINE_CONTROL] & LINE_CONTROL_DIVISOR;
}

u8 uart_port_read(u16 port)
{
	u32 reg = (u32)port - BASE;

	if (uart.absent)
		return 0xff;
	assert_true(reg < UART_REGISTERS);
	if (reg == UART_LINE_STATUS && uart.hidden_for && --uart.hidden_for == 0)
		uart.reg[UART_LINE_CONTROL] |= LINE_CONTROL_DIVISOR;
	if (reg == UART_LINE_STATUS)
		uart.status_reads++;
	if (reg == UART_LINE_STATUS)
		return LINE_STATUS_ROOM | (uart.count ? LINE_STATUS_BYTE : 0);
	if (reg != UART_DATA)
		return uart.reg[reg];
	if (shows_divisor())
		return uart.divisor;
	uart.reads++;
	if (uart.count) {
		uart.last = uart.input[uart.first++ % sizeof(uart.input)];
		uart.count--;
	}
	return uart.last;
}

void uart_port_write(u16 port, u8 value)
{
	u32 reg = (u32)port - BASE;

	assert_true(reg < UART_REGISTERS);
	if (reg != UART_DATA)
		uart.reg[reg] = value;
	else if (shows_divisor())
		uart.divisor = value;
	else if (uart.reg[UART_MODEM_CONTROL] & MODEM_CONTROL_LOOP)
		type(value);
}

static int fresh(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	memset(bitmaps, 0, sizeof(bitmaps));
	now = UINT64_C(100000000000);
	serial_watch_init(&watch, &port_console, KEY, bitmaps);
	return 0;
}

/* What the guest gets, in one number; the key as KEY | 0x100. */
static u32 in(enum uart_register reg)
{
	u8 value;
	bool key = serial_watch_in(&watch, (u16)(BASE + reg), ++now, &value);

	return value | (key ? 0x100u : 0);
}

static void out(enum uart_register reg, u8 value)
{
	serial_watch_out(&watch, (u16)(BASE + reg), ++now, value);
}

static bool exits(enum uart_register reg)
{
	return sleep_guard_exits(bitmaps, (u16)(BASE + reg), 1);
}

#define FOUND (KEY | 0x100u)

/* Expect: data, line control and modem control exit, nothing else; nothing at all without a key, or without a UART. */
static void what_exits(void **state)
{
	u32 set = 0;

	(void)state;
	for (u32 port = 0; port <= 0xffff; port++)
		set += sleep_guard_exits(bitmaps, (u16)port, 1);
	assert_int_equal(set, 3);
	assert_true(exits(UART_DATA) && exits(UART_LINE_CONTROL) && exits(UART_MODEM_CONTROL));
	memset(bitmaps, 0, sizeof(bitmaps));
	serial_watch_init(&watch, &port_console, 0, bitmaps);
	assert_false(exits(UART_DATA) || serial_watch_is_due(&watch, UINT64_MAX));
	uart.absent = true;
	serial_watch_init(&watch, &port_console, KEY, bitmaps);
	assert_false(exits(UART_DATA) || serial_watch_touches(&watch, BASE, 1));
}

static void the_key_is_found_among_other_bytes(void **state)
{
	(void)state;
	type('a');
	type(KEY);
	type('b');
	assert_int_equal(in(UART_DATA), 'a');
	assert_int_equal(in(UART_DATA), FOUND);
	assert_int_equal(serial_watch_instead(&watch, now), 'b');
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
	assert_int_equal(serial_watch_instead(&watch, now), SERIAL_INSTEAD);
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
	type(KEY);
	assert_int_equal(serial_watch_instead(&watch, now), SERIAL_INSTEAD);
}

/* Expect: a UART that gives its last byte once more does not open the monitor by it. */
static void a_byte_read_twice_is_not_the_key(void **state)
{
	(void)state;
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
	assert_int_equal(in(UART_DATA), KEY);
}

static void the_divisor_is_not_the_key(void **state)
{
	(void)state;
	type(KEY);
	out(UART_LINE_CONTROL, LINE_CONTROL_DIVISOR);
	out(UART_DATA, KEY);
	assert_int_equal(in(UART_DATA), KEY);
	assert_false(serial_watch_look(&watch, now + MANY_TICKS));
	assert_false(serial_watch_look(&watch, now + 2 * MANY_TICKS));
	out(UART_LINE_CONTROL, 3);
	assert_int_equal(in(UART_DATA), FOUND);
}

/* Expect: nor one that another processor's output has hidden until now. */
static void a_hidden_divisor_is_not_the_key(void **state)
{
	(void)state;
	type('x');
	type(KEY);
	uart.divisor = KEY;
	uart.hidden_for = 1;
	assert_int_equal(in(UART_DATA), KEY);
	uart.reg[UART_LINE_CONTROL] = 0;
	assert_false(serial_watch_look(&watch, now));
	uart.hidden_for = 2;
	assert_false(serial_watch_look(&watch, now + MANY_TICKS));
	assert_int_equal(uart.count, 2);
	assert_int_equal(watch.kept_count, 0);
}

/* Expect: not within loopback, not what is left of it, not the one byte that was on its way; the next one is. */
static void loopback_is_not_the_key(void **state)
{
	(void)state;
	out(UART_MODEM_CONTROL, MODEM_CONTROL_LOOP);
	out(UART_DATA, KEY);
	assert_int_equal(in(UART_DATA), KEY);
	out(UART_DATA, KEY);
	out(UART_DATA, KEY);
	out(UART_MODEM_CONTROL, 0);
	assert_int_equal(in(UART_DATA), KEY);
	assert_int_equal(in(UART_DATA), KEY);
	assert_int_equal(in(UART_DATA), KEY); /* nothing new: the last one again */
	type(KEY);
	assert_int_equal(in(UART_DATA), KEY);
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
}

/* Expect: a byte that was on its way and lies there for long is not the key either; without one, time alone is enough. */
static void loopback_ages_only_while_nothing_is_there(void **state)
{
	(void)state;
	out(UART_MODEM_CONTROL, MODEM_CONTROL_LOOP);
	out(UART_MODEM_CONTROL, 0);
	type(KEY);
	now += MANY_TICKS;
	assert_int_equal(in(UART_DATA), KEY);
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
	out(UART_MODEM_CONTROL, MODEM_CONTROL_LOOP);
	out(UART_MODEM_CONTROL, 0);
	now += MANY_TICKS;
	assert_false(serial_watch_look(&watch, now));
	type(KEY);
	assert_int_equal(in(UART_DATA), FOUND);
}

/* Expect: the state that the firmware has left is seen, too. */
static void loopback_that_was_there_before(void **state)
{
	(void)state;
	uart.reg[UART_MODEM_CONTROL] = MODEM_CONTROL_LOOP;
	type(KEY);
	assert_int_equal(in(UART_DATA), KEY);
	type(KEY);
	out(UART_MODEM_CONTROL, 0);
	assert_int_equal(in(UART_DATA), KEY);
}

static void other_registers_are_the_uarts(void **state)
{
	(void)state;
	out(UART_LINE_CONTROL, 0x1b);
	out(UART_MODEM_CONTROL, 0x0b);
	assert_int_equal(uart.reg[UART_LINE_CONTROL], 0x1b);
	assert_int_equal(uart.reg[UART_MODEM_CONTROL], 0x0b);
	assert_int_equal(in(UART_LINE_CONTROL), 0x1b);
	assert_int_equal(in(UART_LINE_STATUS), LINE_STATUS_ROOM);
}

/* --- what nobody reads ---------------------------------------------------------------- */

static bool look_after(u64 ticks)
{
	return serial_watch_look(&watch, now += ticks);
}

#define MOMENT UINT64_C(40000000)
#define AGE UINT64_C(200000000)
#define SECOND UINT64_C(1000000000)

static void a_key_that_nobody_reads_is_found(void **state)
{
	(void)state;
	type('x');
	type(KEY);
	type('y');
	assert_false(look_after(0));
	assert_false(look_after(MOMENT));
	assert_true(look_after(AGE));
	/* The guest gets the rest, in its order, and sees that there is something. */
	assert_true(exits(UART_LINE_STATUS));
	assert_true(in(UART_LINE_STATUS) & LINE_STATUS_BYTE);
	assert_int_equal(in(UART_DATA), 'x');
	assert_false(exits(UART_LINE_STATUS));
	assert_int_equal(in(UART_DATA), 'y');
}

/* Expect: the line status tells of a kept byte when the UART itself has none. */
static void a_kept_byte_is_shown(void **state)
{
	(void)state;
	type('x');
	assert_false(look_after(0));
	assert_false(look_after(AGE));
	assert_int_equal(uart.count, 0);
	assert_true(in(UART_LINE_STATUS) & LINE_STATUS_BYTE);
	assert_int_equal(in(UART_DATA), 'x');
	assert_false(in(UART_LINE_STATUS) & LINE_STATUS_BYTE);
}

/* Expect: whoever reads now and then keeps L0's hands off, and so does whoever is interrupted and comes in time. */
static void readers_are_left_alone(void **state)
{
	(void)state;
	for (u32 i = 0; i < 20; i++) {
		type('x');
		assert_false(look_after(MOMENT));
		assert_int_equal(in(UART_DATA), 'x');
	}
	assert_int_equal(uart.reads, 20);
	uart.reg[UART_INTERRUPTS] = INTERRUPTS_BYTE;
	for (u32 i = 0; i < 20; i++) {
		type('x');
		assert_false(look_after(MANY_TICKS));
		assert_false(look_after(SECOND / 2));
		assert_int_equal(in(UART_DATA), 'x');
	}
}

/* Expect: a driver that is never interrupted, as its processor hangs, does not keep the key from L0. */
static void readers_that_hang_are_not_waited_for(void **state)
{
	(void)state;
	uart.reg[UART_INTERRUPTS] = INTERRUPTS_BYTE;
	type('x');
	type(KEY);
	assert_false(look_after(MANY_TICKS));
	assert_false(look_after(SECOND));
	assert_true(look_after(SECOND));
	assert_int_equal(in(UART_DATA), 'x');
}

/* Expect: a break or an error that came just before a look is the driver's to see: so they are few where there is one. */
static void looks_at_a_drivers_line_status_are_few(void **state)
{
	u32 looks = 0;

	(void)state;
	uart.reg[UART_INTERRUPTS] = INTERRUPTS_BYTE;
	for (u32 i = 0; i < 100; i++) {
		uart.status_reads = 0;
		assert_false(look_after(MOMENT));
		looks += uart.status_reads != 0;
	}
	assert_in_range(looks, 1, 8);
}

static void looks_are_rare(void **state)
{
	(void)state;
	assert_true(serial_watch_is_due(&watch, now));
	assert_false(look_after(0));
	assert_false(serial_watch_is_due(&watch, now + 1000));
	assert_true(serial_watch_is_due(&watch, now + MOMENT));
	/* L1 has set the TSC back. */
	assert_true(serial_watch_is_due(&watch, 0));
}

/* Expect: of more than L0 can keep the newest are there, and the key behind them is still found. */
static void the_oldest_are_lost(void **state)
{
	(void)state;
	for (u32 i = 0; i < 40; i++)
		type((u8)(i + 0x30));
	type(KEY);
	assert_false(look_after(0));
	assert_true(look_after(AGE));
	for (u32 i = 40 - SERIAL_KEPT; i < 40; i++)
		assert_int_equal(in(UART_DATA), i + 0x30);
	assert_false(exits(UART_LINE_STATUS));
}

static void what_loopback_left_is_not_taken(void **state)
{
	(void)state;
	out(UART_MODEM_CONTROL, MODEM_CONTROL_LOOP);
	out(UART_DATA, KEY);
	out(UART_MODEM_CONTROL, 0);
	assert_false(look_after(0));
	assert_false(look_after(MANY_TICKS));
	assert_int_equal(uart.count, 1);
	assert_int_equal(in(UART_DATA), KEY);
}

/* --- without exits, and given up ------------------------------------------------------ */

/* Expect: without bitmaps nothing is kept, for the guest would not get it, and patience is longer. */
static void without_exits(void **state)
{
	(void)state;
	serial_watch_init(&watch, &port_console, KEY, NULL);
	assert_false(serial_watch_touches(&watch, BASE, 1));
	type('x');
	type(KEY);
	assert_false(look_after(0));
	assert_false(look_after(AGE));
	assert_int_equal(uart.count, 2);
	assert_true(look_after(MANY_TICKS));
	assert_int_equal(watch.kept_count, 0);
}

static void given_up(void **state)
{
	(void)state;
	serial_watch_keep(&watch, 'k');
	serial_watch_end(&watch);
	for (u32 port = 0; port <= 0xffff; port++)
		assert_false(sleep_guard_exits(bitmaps, (u16)port, 1));
	assert_false(serial_watch_is_due(&watch, UINT64_MAX));
	/* An exit that was on its way on another processor. */
	assert_true(serial_watch_touches(&watch, BASE, 1));
	serial_watch_keep(&watch, 'l');
	assert_false(exits(UART_LINE_STATUS));
}

static void accesses_of_several_bytes(void **state)
{
	(void)state;
	assert_true(serial_watch_touches(&watch, BASE - 3, 4));
	assert_true(serial_watch_touches(&watch, BASE + 2, 2));
	assert_false(serial_watch_touches(&watch, BASE - 4, 4));
	assert_false(serial_watch_touches(&watch, BASE + 1, 2));
	assert_false(serial_watch_touches(&watch, BASE + 6, 4));
	assert_false(serial_watch_touches(&watch, 0xffff, 4));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_exits),
		TEST(the_key_is_found_among_other_bytes),
		TEST(a_byte_read_twice_is_not_the_key),
		TEST(the_divisor_is_not_the_key),
		TEST(a_hidden_divisor_is_not_the_key),
		TEST(loopback_is_not_the_key),
		TEST(loopback_ages_only_while_nothing_is_there),
		TEST(loopback_that_was_there_before),
		TEST(other_registers_are_the_uarts),
		TEST(a_key_that_nobody_reads_is_found),
		TEST(a_kept_byte_is_shown),
		TEST(readers_are_left_alone), TEST(readers_that_hang_are_not_waited_for), TEST(looks_at_a_drivers_line_status_are_few),
		TEST(looks_are_rare),
		TEST(the_oldest_are_lost),
		TEST(what_loopback_left_is_not_taken),
		TEST(without_exits),
		TEST(given_up),
		TEST(accesses_of_several_bytes),
	};

	return cmocka_run_group_tests_name("serial_watch", tests, NULL, NULL);
}
