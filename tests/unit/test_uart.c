/* SPDX-License-Identifier: MIT */
/*
 * The 16550 behind ports, of which a model keeps every access, and in memory,
 * where a register file shows which bytes are touched. Absent, vanished and
 * stuck ones, and what L1 has set and must find again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/uart.h"

#define BASE 0x2f8
#define FAR_TOO_LONG 50000000u

enum behaviour { GOOD, ABSENT, NO_ROOM, READ_ONLY };

static struct {
	enum behaviour behaviour;
	u8 stride;
	u8 reg[UART_REGISTERS];
	u8 divisor[2];
	u8 sent[64];
	u32 sent_count, accesses, busy;		/* busy: reads of the line status until there is room */
	u8 input[8], input_status;
	u32 input_at, input_count;
} model;

static struct uart uart;

static int fresh(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	model.stride = 1;
	uart = (struct uart){ .at = { .base = BASE, .kind = CONSOLE_PORT_16550, .stride = 1, .width = 1 } };
	return 0;
}

static bool divisor_shown(void)
{
	return model.reg[UART_LINE_CONTROL] & LINE_CONTROL_DIVISOR;
}

static u32 register_of(u16 port)
{
	u32 offset = (u32)port - BASE;

	assert_true(offset % model.stride == 0 && offset / model.stride < UART_REGISTERS);
	return offset / model.stride;
}

static u8 line_status(void)
{
	u8 status = model.input_at < model.input_count ? (u8)(LINE_STATUS_BYTE | model.input_status) : 0;

	if (model.behaviour == NO_ROOM)
		return status;
	if (model.busy) {
		model.busy--;
		return status;
	}
	return status | LINE_STATUS_ROOM;
}

u8 uart_port_read(u16 port)
{
	u32 reg = register_of(port);

	if (++model.accesses > FAR_TOO_LONG)
		fail_msg("it waits without end");
	if (model.behaviour == ABSENT)
		return 0xff;
	if (reg <= UART_DIVISOR_HIGH && divisor_shown())
		return model.divisor[reg];
	if (reg == UART_DATA)
		return model.input_at < model.input_count ? model.input[model.input_at++] : 0;
	return reg == UART_LINE_STATUS ? line_status() : model.reg[reg];
}

void uart_port_write(u16 port, u8 value)
{
	u32 reg = register_of(port);

	model.accesses++;
	if (model.behaviour == ABSENT || model.behaviour == READ_ONLY)
		return;
	if (reg <= UART_DIVISOR_HIGH && divisor_shown())
		model.divisor[reg] = value;
	else if (reg == UART_DATA)
		model.sent[model.sent_count++ % sizeof(model.sent)] = value;
	else
		model.reg[reg] = value;
}

static u32 divisor(void)
{
	return model.divisor[0] | (u32)model.divisor[1] << 8;
}

static void assert_sent(const char *text)
{
	assert_int_equal(model.sent_count, strlen(text));
	assert_memory_equal(model.sent, text, strlen(text));
}

/* Expect: a speed that the firmware has set stays, 8N1 is in force, nothing is sent. */
static void a_speed_that_is_set_is_kept(void **state)
{
	(void)state;
	model.divisor[0] = 12;
	model.reg[UART_LINE_CONTROL] = LINE_CONTROL_8N1;
	assert_true(uart_answers(&uart) && uart_prepare(&uart, 0));
	assert_int_equal(divisor(), 12);
	assert_int_equal(model.reg[UART_LINE_CONTROL], LINE_CONTROL_8N1);
	assert_int_equal(model.sent_count, 0);
}

/* Expect: neither divisor 0 nor seven bits are a speed that somebody has set. */
static void what_nobody_set_up_gets_115200(void **state)
{
	(void)state;
	assert_true(uart_prepare(&uart, 0));
	assert_int_equal(divisor(), 1);
	model.divisor[0] = 12;
	model.reg[UART_LINE_CONTROL] = 0x02;
	assert_true(uart_prepare(&uart, 0));
	assert_int_equal(divisor(), 1);
	assert_int_equal(model.reg[UART_LINE_CONTROL], LINE_CONTROL_8N1);
}

/* Expect: the divisor of a clock of 1.8432 MHz, both bytes of it, and no interrupts. */
static void a_speed_that_is_asked_for_is_set(void **state)
{
	static const struct {
		u32 baud, divisor;
	} rows[] = { { 115200, 1 }, { 57600, 2 }, { 9600, 12 }, { 300, 384 }, { 50, 2304 } };

	(void)state;
	for (u32 i = 0; i < 5; i++) {
		model.reg[UART_INTERRUPTS] = 0x0f;
		assert_true(uart_prepare(&uart, rows[i].baud));
		assert_int_equal(divisor(), rows[i].divisor);
		assert_int_equal(model.reg[UART_INTERRUPTS], 0);
		assert_int_equal(model.reg[UART_LINE_CONTROL], LINE_CONTROL_8N1);
	}
}

static void nothing_there_is_found_out(void **state)
{
	(void)state;
	model.behaviour = ABSENT;
	assert_false(uart_answers(&uart));
	uart.at.kind = CONSOLE_NONE;
	assert_false(uart_answers(&uart));
	uart_write(&uart, "text", 4);
	assert_int_equal(model.sent_count, 0);
}

/* Expect: a register that does not keep what is written is none of a 16550's. */
static void what_keeps_nothing_is_no_16550(void **state)
{
	(void)state;
	model.behaviour = READ_ONLY;
	assert_true(uart_answers(&uart));
	assert_false(uart_prepare(&uart, 0));
	assert_false(uart_prepare(&uart, 9600));
}

static void text_waits_for_room(void **state)
{
	(void)state;
	model.busy = 1000;
	uart_write(&uart, "hello\r\n", 7);
	assert_sent("hello\r\n");
	assert_false(uart.stuck);
}

static void ports_may_lie_apart(void **state)
{
	(void)state;
	model.stride = uart.at.stride = 4;
	model.divisor[0] = 3;
	model.reg[UART_LINE_CONTROL] = LINE_CONTROL_8N1;
	assert_true(uart_answers(&uart) && uart_prepare(&uart, 0));
	uart_write(&uart, "apart", 5);
	assert_sent("apart");
}

/* Expect: the colour goes around the line's text and not around its end. */
static void a_line_may_be_coloured(void **state)
{
	(void)state;
	uart_write_line(&uart, NULL, "plain\r\n", 7);
	assert_sent("plain\r\n");
	model.sent_count = 0;
	uart_write_line(&uart, "\x1b[31m", "red\r\n", 5);
	assert_sent("\x1b[31mred\x1b[0m\r\n");
}

/* Expect: the text goes out as text, and L1 finds divisor and latch as it has left them. */
static void a_speed_that_l1_is_setting_survives(void **state)
{
	(void)state;
	model.reg[UART_LINE_CONTROL] = LINE_CONTROL_8N1 | LINE_CONTROL_DIVISOR;
	model.divisor[0] = 0x34, model.divisor[1] = 0x12;
	uart_write(&uart, "x", 1);
	assert_sent("x");
	assert_int_equal(divisor(), 0x1234);
	assert_int_equal(model.reg[UART_LINE_CONTROL], LINE_CONTROL_8N1 | LINE_CONTROL_DIVISOR);
}

/* Expect: one time of patience, not one for each byte; afterwards next to none, until there is room again. */
static void a_stuck_one_is_waited_for_once(void **state)
{
	u32 first;

	(void)state;
	model.behaviour = NO_ROOM;
	uart_write(&uart, "0123456789", 10);
	first = model.accesses;
	assert_true(uart.stuck && first < 2000000);
	for (u32 i = 0; i < 1000; i++)
		uart_write(&uart, "0123456789", 10);
	assert_true(model.accesses - first < 10000);
	assert_int_equal(model.sent_count, 0);
	model.behaviour = GOOD;
	uart_write(&uart, "back", 4);
	assert_sent("back");
	model.busy = 100;
	uart_write(&uart, "!", 1);
	assert_sent("back!");
}

/* Expect: the latch that L1 had open is open again even if nothing got out. */
static void a_stuck_one_gets_its_latch_back(void **state)
{
	(void)state;
	model.behaviour = NO_ROOM;
	model.reg[UART_LINE_CONTROL] = LINE_CONTROL_DIVISOR;
	uart_write(&uart, "lost", 4);
	assert_int_equal(model.reg[UART_LINE_CONTROL], LINE_CONTROL_DIVISOR);
}

/* Expect: one that was pulled out costs no waiting at all: it reads as ones. */
static void a_vanished_one_costs_little(void **state)
{
	u8 byte;

	(void)state;
	assert_true(uart_prepare(&uart, 0));
	model.behaviour = ABSENT;
	model.accesses = 0;
	uart_write(&uart, "0123456789", 10);
	assert_true(model.accesses < 100);
	assert_false(uart_receive(&uart, &byte));
}

static void bytes_are_received(void **state)
{
	u8 byte = 0xee;

	(void)state;
	assert_false(uart_receive(&uart, &byte));
	assert_int_equal(byte, 0xee);
	memcpy(model.input, "ab", 2);
	model.input_count = 2;
	assert_true(uart_receive(&uart, &byte));
	assert_int_equal(byte, 'a');
	model.input_status = 0x08;		/* framing */
	assert_true(uart_receive(&uart, &byte));
	assert_int_equal(byte, 0);
	assert_false(uart_receive(&uart, &byte));
}

/* Expect: while the divisor is shown there is nothing to read: register 0 would be the divisor. */
static void a_divisor_is_no_byte(void **state)
{
	u8 byte;

	(void)state;
	model.input_count = 1;
	model.divisor[0] = 12;
	model.reg[UART_LINE_CONTROL] = LINE_CONTROL_DIVISOR;
	assert_false(uart_receive(&uart, &byte));
	assert_int_equal(model.input_at, 0);
}

/* Expect: in memory only the registers' own bytes are touched, at whatever distance they lie; the guards see the rest. */
static void memory_is_touched_at_the_registers_alone(void **state)
{
	static const struct {
		u8 stride, width;
	} rows[] = { { 1, 1 }, { 2, 1 }, { 4, 1 }, { 8, 1 }, { 4, 4 }, { 8, 4 } };
	_Alignas(8) u8 file[64];

	(void)state;
	for (u32 i = 0; i < 6; i++) {
		u8 stride = rows[i].stride, width = rows[i].width;

		memset(file, 0xa5, sizeof(file));
		uart.at = (struct handoff_uart){ (u64)(uintptr_t)file, CONSOLE_MEMORY_16550, stride, width };
		assert_int_equal(uart_span(&uart.at), 7 * stride + width);
		for (u32 reg = 0; reg < UART_REGISTERS; reg++)
			memset(file + reg * stride, 0, width);
		file[UART_LINE_STATUS * stride] = LINE_STATUS_ROOM;
		assert_true(uart_answers(&uart) && uart_prepare(&uart, 9600));
		assert_int_equal(file[UART_MODEM_CONTROL * stride], 3);
		uart_write(&uart, "xyz", 3);
		assert_int_equal(file[UART_DATA], 'z');
		for (u32 at = 0; at < sizeof(file); at++)
			if (at % stride >= width || at / stride >= UART_REGISTERS)
				assert_int_equal(file[at], 0xa5);
	}
	assert_int_equal(model.accesses, 0);
}

/* Expect: a register of 32 bits is read and written whole: upper bits read are ignored, those written are 0. */
static void wide_registers_are_written_whole(void **state)
{
	u32 file[UART_REGISTERS] = { 0 };

	(void)state;
	uart.at = (struct handoff_uart){ (u64)(uintptr_t)file, CONSOLE_MEMORY_16550, 4, 4 };
	file[UART_DATA] = 0xdeadbeef;
	file[UART_LINE_STATUS] = 0xffffff00u | LINE_STATUS_ROOM;
	assert_true(uart_answers(&uart));
	uart_write(&uart, "w", 1);
	assert_int_equal(file[UART_DATA], 'w');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_speed_that_is_set_is_kept, fresh),
		cmocka_unit_test_setup(what_nobody_set_up_gets_115200, fresh),
		cmocka_unit_test_setup(a_speed_that_is_asked_for_is_set, fresh),
		cmocka_unit_test_setup(nothing_there_is_found_out, fresh),
		cmocka_unit_test_setup(what_keeps_nothing_is_no_16550, fresh),
		cmocka_unit_test_setup(text_waits_for_room, fresh),
		cmocka_unit_test_setup(ports_may_lie_apart, fresh),
		cmocka_unit_test_setup(a_line_may_be_coloured, fresh),
		cmocka_unit_test_setup(a_speed_that_l1_is_setting_survives, fresh),
		cmocka_unit_test_setup(a_stuck_one_is_waited_for_once, fresh),
		cmocka_unit_test_setup(a_stuck_one_gets_its_latch_back, fresh),
		cmocka_unit_test_setup(a_vanished_one_costs_little, fresh),
		cmocka_unit_test_setup(bytes_are_received, fresh),
		cmocka_unit_test_setup(a_divisor_is_no_byte, fresh),
		cmocka_unit_test_setup(memory_is_touched_at_the_registers_alone, fresh),
		cmocka_unit_test_setup(wide_registers_are_written_whole, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
