/* SPDX-License-Identifier: MIT */
/*
 * The console's sinks: a 16550 and a ring in memory, which a memory dump or a
 * debugger finds by its signature. Lines of several CPUs do not mix, but a line
 * rather comes out mixed than a CPU waits for one that panicked while printing.
 */
#include "drivers/console.h"

#include "arch/percpu.h"
#include "arch/spinlock.h"
#include "arch/string.h"
#include "drivers/printk.h"
#include "drivers/uart.h"

#define RING_BYTES 65536
#define LINE_BYTES 280
#define LOCK_PATIENCE 100000000u

struct console_ring {
	char signature[16];
	u64 written;			/* bytes ever; the newest is at (written - 1) % RING_BYTES */
	char text[RING_BYTES];
};

static struct console_ring ring;

static struct {
	struct spinlock lock;
	enum log_level level;
	bool has_uart;
	u16 uart_base;
} console = { .level = LOG_INFO };

void console_init(const struct handoff_console *wanted, enum log_level level)
{
	/* Not an initialiser: the ring would then be in the file. */
	memcpy(ring.signature, "TESTUDO-CONSOLE", sizeof(ring.signature));
	console.level = level;
	console.uart_base = (u16)wanted->base;
	console.has_uart = wanted->kind == CONSOLE_PORT_16550 && uart_init(console.uart_base, wanted->baud);
}

bool console_shows(enum log_level level)
{
	return level <= console.level;
}

static void emit(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		ring.text[ring.written++ % RING_BYTES] = text[i];
	if (console.has_uart)
		uart_write(console.uart_base, text, length);
}

static bool lock_patiently(void)
{
	for (u32 i = 0; i < LOCK_PATIENCE; i++) {
		if (spin_try_lock(&console.lock))
			return true;
		cpu_pause();
	}
	return false;
}

void console_line_va(enum log_level level, const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	const size_t room = sizeof(line) - 2;	/* for the line's end */
	size_t length;
	bool locked;

	if (!console_shows(level))
		return;
	length = format_text(line, room, "testudo[%u]: ", percpu()->index);
	length += format_text_va(line + length, room - length, format, arguments);
	if (length > room - 1)
		length = room - 1;
	line[length++] = '\r';
	line[length++] = '\n';

	locked = lock_patiently();
	emit(line, length);
	if (locked)
		spin_unlock(&console.lock);
}

void console_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	console_line_va(level, format, arguments);
	va_end(arguments);
}
