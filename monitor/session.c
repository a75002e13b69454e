/* SPDX-License-Identifier: MIT */
/*
 * See monitor/session.h. Takes the UART over as the guest has left it, and gives it back so: what is
 * typed behind the last command is the guest's. Holds no lock while it waits, and never gives up waiting.
 */
#include "monitor/session.h"

#include "arch/ops.h"
#include "boot/handoff.h"
#include "drivers/panic.h"
#include "drivers/printk.h"
#include "drivers/uart.h"
#include "monitor/monitor.h"
#include "monitor/pause.h"
#include "vmx/handle_serial.h"
#include "vmx/shutdown.h"
#include "vmx/stop.h"

#define CTRL_C 3
#define AHEAD 256u

/* Constant between sessions: one at a time, by whoever has asked for the stop. */
static struct {
	struct monitor monitor;
	struct monitor_out out;
	struct edit edit;
	struct uart uart;
	struct vcpu *vcpu;
	u8 line_control, interrupts, modem_control;	/* the guest's */
	u8 ahead[AHEAD];		/* typed while something was being written */
	u32 ahead_first, ahead_count;
	bool broken_off;		/* by Ctrl-C */
	bool port_is_gone;
} session;

/* --- the terminal --------------------------------------------------------------------- */

/* No interrupt comes of what the user types; with the guest's enables an empty transmitter makes it one anew. */
static void take_uart(const struct handoff_uart *at)
{
	struct uart *uart = &session.uart;

	uart->at = *at;
	session.line_control = uart_get(uart, UART_LINE_CONTROL);
	uart_put(uart, UART_LINE_CONTROL, (u8)(session.line_control & ~LINE_CONTROL_DIVISOR));
	session.interrupts = uart_get(uart, UART_INTERRUPTS);
	uart_put(uart, UART_INTERRUPTS, 0);
	session.modem_control = uart_get(uart, UART_MODEM_CONTROL);
	uart_put(uart, UART_MODEM_CONTROL, (u8)((session.modem_control & ~MODEM_CONTROL_LOOP) | MODEM_CONTROL_DTR_RTS));
}

static void wait_until_sent(void)
{
	for (u32 i = 0; i < 1000000 && !(uart_get(&session.uart, UART_LINE_STATUS) & LINE_STATUS_ROOM); i++)
		cpu_pause();
}

static void give_uart_back(void)
{
	wait_until_sent();
	uart_put(&session.uart, UART_MODEM_CONTROL, session.modem_control);
	uart_put(&session.uart, UART_INTERRUPTS, session.interrupts);
	uart_put(&session.uart, UART_LINE_CONTROL, session.line_control);
}

static void note_keys(void)
{
	u8 key;

	/* Bounded: a port out of order may have a byte at any time. */
	for (u32 i = 0; i < AHEAD && uart_receive(&session.uart, &key); i++) {
		if (key == CTRL_C) {
			session.broken_off = true;
			session.ahead_count = 0;
		} else if (session.ahead_count < AHEAD) {
			session.ahead[(session.ahead_first + session.ahead_count++) % AHEAD] = key;
		}
	}
}

static bool write(struct monitor_out *out, const char *text, size_t length)
{
	(void)out;
	for (size_t i = 0; i < length && !session.broken_off; i++) {
		if (text[i] == '\n')
			uart_write(&session.uart, "\r", 1);
		uart_write(&session.uart, &text[i], 1);
		note_keys();
	}
	return !session.broken_off;
}

static u8 take_ahead(void)
{
	session.ahead_count--;
	return session.ahead[session.ahead_first++ % AHEAD];
}

/* The user may take hours. A port that is gone, as a card that was taken out, is given up after a second or so. */
static u8 wait_for_key(void)
{
	u32 gone = 0;
	u8 key;

	if (session.ahead_count != 0)
		return take_ahead();
	while (!uart_receive(&session.uart, &key)) {
		if (panic_is_active())
			panic_stop_here();
		gone = uart_answers(&session.uart) ? 0 : gone + 1;
		if (gone == 1000000) {
			session.port_is_gone = true;
			return '\r';
		}
		cpu_pause();
	}
	return key;
}

/* --- the conversation ----------------------------------------------------------------- */

static void prompt(void)
{
	char text[32];

	format_text(text, sizeof(text), "monitor[%u]> ", session.monitor.cpu);
	(void)out_text(&session.out, text);
}

static char *read_line(void)
{
	enum edit_result result;

	do {
		session.broken_off = false;
		prompt();
		edit_begin(&session.edit);
		do
			result = edit_key(&session.edit, wait_for_key(), &session.out);
		while (result == EDIT_MORE);
	} while (result == EDIT_CANCEL);
	session.broken_off = false;
	return session.edit.line;
}

static void give_rest_back(void)
{
	u8 rest[AHEAD];
	u32 count = 0;

	while (session.ahead_count != 0)
		rest[count++] = take_ahead();
	handle_serial_give(rest, count);
}

static void converse(u32 stopped, u32 others)
{
	char *line;

	(void)out_text(&session.out, "\n");
	out_line(&session.out, "Testudo's monitor, on CPU %u; %u of %u other processors have stopped. \"help\" tells what there is.",
		 session.monitor.home, stopped, others);
	do
		line = read_line();
	while (!session.port_is_gone && monitor_command(&session.monitor, line));
	session.broken_off = false;
	out_line(&session.out, "the guests go on");
}

/* The others stop first: what one of them does to the UART until then is the guest's, and is put back. */
static void open(struct vcpu *vcpu)
{
	u32 others, stopped = pause_others(&others);

	session.vcpu = vcpu;
	session.out.write = write;
	session.broken_off = false;
	session.port_is_gone = false;
	session.ahead_count = 0;
	session.monitor.out = &session.out;
	session.monitor.handoff = vcpu->machine->handoff;
	session.monitor.home = session.monitor.cpu = vcpu->cpu->index;
	take_uart(&vcpu->machine->handoff->console.uart);
	converse(stopped, others);
	give_uart_back();
	give_rest_back();
}

void session_stop_point(struct vcpu *vcpu)
{
	if (panic_is_active())
		panic_stop_here();
	if (!stop_is_mine()) {
		pause_here(vcpu);
		return;
	}
	open(vcpu);
	stop_end();
}

/* --- for the commands ----------------------------------------------------------------- */

struct task {
	struct monitor *monitor;
	monitor_work *work;
	void *argument;
};

static bool do_task(struct vcpu *vcpu, void *argument)
{
	const struct task *task = argument;

	return task->work(task->monitor, vcpu, task->argument);
}

bool monitor_on(struct monitor *monitor, u32 cpu, monitor_work *work, void *argument)
{
	static const char *const why[] = {
		[PAUSE_NOT_RUNNING] = "is not under Testudo",
		[PAUSE_WAITS_FOR_SIPI] = "waits for SIPI: it runs nothing",
		[PAUSE_NO_APIC] = "runs on: the local APIC, as L1 has it, does not reach it",
		[PAUSE_NO_ANSWER] = "runs on: it does not answer",
	};
	struct task task = { monitor, work, argument };
	enum pause_state state;

	if (cpu == monitor->home)
		return do_task(session.vcpu, &task);
	state = pause_state(cpu);
	if (state == PAUSE_STOPPED)
		return pause_do(cpu, do_task, &task);
	return out_line(monitor->out, "CPU %u: %s", cpu, why[state]);
}

noreturn void monitor_reset(void)
{
	wait_until_sent();
	machine_reset();
}
