/* SPDX-License-Identifier: MIT */
/*
 * console: L1 and L0 at one 16550 in memory, which tests/emu/frame.c has made of
 * a frame buffer: what L0 writes stays there to be seen. For a Testudo with
 * console = mmio:0xe0000000,8 and log = debug.
 */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"

#define REGISTERS ((volatile u8 *)0xe0000000)
#define STRIDE 8
#define SIZE (8 * STRIDE)

enum { DATA, INTERRUPTS, FIFO, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS };
#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR 0x80
#define LINE_STATUS_ROOM 0x60
#define SOMETHING 0x55
/* Ticks, which are instructions: much more than a line takes, and much less than to wait for the port. */
#define SHORT 300000

static void set(u32 reg, u8 value)
{
	REGISTERS[reg * STRIDE] = value;
}

static u8 get(u32 reg)
{
	return REGISTERS[reg * STRIDE];
}

static void fresh(u8 line_control, u8 line_status)
{
	for (u32 i = 0; i < SIZE; i++)
		REGISTERS[i] = 0;
	set(DATA, SOMETHING);
	set(LINE_CONTROL, line_control);
	set(LINE_STATUS, line_status);
}

/* VMREAD of a field that is none, each time another one: a line at the debug level. Returns the ticks that it took. */
static u64 cause_line(void)
{
	static u64 field = 0x6a00, value;
	u64 before = rdtsc(), after;
	u32 outcome = op_vmread(field, (u64)&value);

	after = rdtsc();
	field += 2;
	if (outcome != OUTCOME_FAIL_INVALID)
		scenario_abort("VMREAD: %o", outcome);
	return after - before;
}

static void nothing_else_is_touched(void)
{
	u32 others = 0;

	for (u32 i = 0; i < SIZE; i++)
		if (i != DATA * STRIDE && i != LINE_CONTROL * STRIDE && i != LINE_STATUS * STRIDE && REGISTERS[i])
			others++;
	say("%u other bytes changed, line control %x", others, get(LINE_CONTROL));
}

/* The last byte of a line is its end. */
static void a_line_comes_out(void)
{
	fresh(LINE_CONTROL_8N1, LINE_STATUS_ROOM);
	cause_line();
	say("%x ", get(DATA));
	nothing_else_is_touched();
}

static void the_divisor_latch_is_put_back(void)
{
	fresh(LINE_CONTROL_8N1 | LINE_CONTROL_DIVISOR, LINE_STATUS_ROOM);
	cause_line();
	say("%x ", get(DATA));
	nothing_else_is_touched();
}

/* The first line waits, and is lost. The next ones do not wait, until there is room. */
static void a_full_port_is_waited_for_once(void)
{
	u64 first, second;

	fresh(LINE_CONTROL_8N1, 0);
	first = cause_line();
	second = cause_line();
	say("%s, %s, %x; ", first > SHORT ? "long" : "short", second > SHORT ? "long" : "short", get(DATA));
	set(LINE_STATUS, LINE_STATUS_ROOM);
	first = cause_line();
	say("%s, %x", first > SHORT ? "long" : "short", get(DATA));
}

/* What reads as ones is no divisor latch that would have to be put back. */
static void a_port_that_is_gone_costs_nothing(void)
{
	u64 ticks;

	for (u32 i = 0; i < SIZE; i++)
		REGISTERS[i] = 0xff;
	ticks = cause_line();
	say("%s", ticks > SHORT ? "long" : "short");
	fresh(LINE_CONTROL_8N1, LINE_STATUS_ROOM);
}

static const struct scenario scenarios[] = {
	{ "line", a_line_comes_out, "0xa 0 other bytes changed, line control 3", under_testudo },
	{ "divisor_latch", the_divisor_latch_is_put_back, "0xa 0 other bytes changed, line control 0x83", under_testudo },
	{ "full", a_full_port_is_waited_for_once, "long, short, 0x55; short, 0xa", under_testudo },
	{ "gone", a_port_that_is_gone_costs_nothing, "short", under_testudo },
};

void guest_main(void)
{
	vmx_prepare();
	vmx_on();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
	vmx_off();
}
