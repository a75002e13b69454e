/* SPDX-License-Identifier: MIT */
/*
 * The console's sinks: a 16550 and a ring in memory (drivers/log_ring.h). Lines of several CPUs do not mix, but a line
 * rather comes out mixed than a CPU waits for one that panicked while printing.
 */
#include "drivers/console.h"

#include "arch/ops.h"
#include "arch/percpu.h"
#include "drivers/line_style.h"
#include "drivers/lock.h"
#include "drivers/log_ring.h"
#include "drivers/panic.h"
#include "drivers/printk.h"
#include "drivers/uart.h"

#define LINE_BYTES 304
/* Tries: seconds, for every other CPU may have a line to print first; while one panics, less. */
#define LOCK_PATIENCE 100000000u
#define LOCK_PATIENCE_IN_PANIC 5000000u

static struct {
	enum log_level level;
	struct handoff_console how;
	struct uart uart;
	struct log_ring *ring;		/* NULL: none yet */
	console_show *show;		/* NULL: no screen */
	bool lock_is_lost;		/* its owner is gone: nobody waits for it any more */
} console = { .level = LOG_INFO };

struct lock console_lock = LOCK("console", LOCK_RANK_CONSOLE);

void console_init(const struct handoff_console *wanted, enum log_level level)
{
	console.level = level;
	console.how = *wanted;
	console.uart.at = wanted->uart;
	if (!uart_answers(&console.uart))
		console.uart.at.kind = CONSOLE_NONE;
}

void console_keep(struct log_ring *ring)
{
	console.ring = ring;
}

void console_mark_end(void)
{
	if (console.ring != NULL)
		log_ring_mark(console.ring);
}

void console_set_show(console_show *show)
{
	console.show = show;
}

bool console_shows(enum log_level level)
{
	return level <= console.level;
}

enum log_level console_level(void)
{
	return console.level;
}

void console_set_level(enum log_level level)
{
	console.level = level;
}

static void emit(enum log_level level, const char *text, size_t length)
{
	if (console.ring != NULL)
		log_ring_put(console.ring, text, length - 2);	/* without the line's end */
	uart_write_line(&console.uart, console.how.colours ? line_colour(level) : NULL, text, length);
}

/* False: go on without. This CPU was in the middle of a line when the exception came, or another one halted there. */
static bool lock_if_possible(void)
{
	u32 patience = panic_is_active() ? LOCK_PATIENCE_IN_PANIC : LOCK_PATIENCE;

	if (lock_is_mine(&console_lock))
		return false;
	if (lock_take_patiently(&console_lock, console.lock_is_lost ? 1 : patience))
		return true;
	console.lock_is_lost = true;
	return false;
}

static size_t put_time(char *line, size_t size)
{
	struct uptime time = uptime_at(&console.how, rdtsc());

	if (!console.how.timestamps)
		return 0;
	if (console.how.tsc_hz == 0)
		return format_text(line, size, "[%lu] ", time.seconds);
	return format_text(line, size, "[%5lu.%06u] ", time.seconds, time.microseconds);
}

void console_line_va(enum log_level level, const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	const size_t room = sizeof(line) - 2;	/* for the line's end */
	console_show *show;
	size_t length;
	bool locked;

	if (!console_shows(level))
		return;
	length = put_time(line, room);
	length += format_text(line + length, room - length, "testudo[%u]: ", percpu()->index);
	length += format_text_va(line + length, room - length, format, arguments);
	if (length > room - 1)
		length = room - 1;
	line[length++] = '\r';
	line[length++] = '\n';

	locked = lock_if_possible();
	emit(level, line, length);
	/* Read once: without the lock another CPU may be taking it away. */
	show = __atomic_load_n(&console.show, __ATOMIC_RELAXED);
	if (show != NULL && level <= LOG_INFO)
		show(line, length - 2);
	if (locked)
		lock_release(&console_lock);
}

void console_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	console_line_va(level, format, arguments);
	va_end(arguments);
}

void console_line_within(struct line_budget *budget, enum log_level level, const char *format, ...)
{
	enum line_verdict verdict;
	va_list arguments;

	if (!console_shows(level))
		return;
	verdict = line_budget_take(budget);
	if (verdict == LINE_NO_MORE)
		console_line(level, "further lines of this kind are suppressed");
	if (verdict != LINE_SHOWN)
		return;
	va_start(arguments, format);
	console_line_va(level, format, arguments);
	va_end(arguments);
}
