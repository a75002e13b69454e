/* SPDX-License-Identifier: MIT */
/*
 * The scenario runner and the lines on COM1: "T name: result", "B name
 * figure", "I text", "L result", and at last "DONE passed=N failed=N".
 */
#include "tests/guests/lib/report.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/serial.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/traps.h"

#define MAX_CLEANUPS 4

static struct text other;
static volatile bool failed;
static void (*cleanups[MAX_CLEANUPS])(void);
static u32 passed_count, failed_count;

static void print(struct text *t, const char *format, ...) PRINTS(2);

/* Another processor that died: who waits for it will tell. */
static _Noreturn void cpu_lost(void)
{
	cpu_this()->state = CPU_LOST;
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void print(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_clear(t);
	text_append(t, format, args);
	va_end(args);
	serial_puts(t->data);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_append(&cpu_this()->said, format, args);
	va_end(args);
}

void expect(bool condition)
{
	failed |= !condition;
}

_Noreturn void scenario_abort(const char *format, ...)
{
	struct cpu *here = cpu_this();
	va_list args;

	va_start(args, format);
	text_append(&here->said, format, args);
	va_end(args);
	failed = true;
	if (here->running)
		guard_raise(here->running);
	if (here != &cpus[0])
		cpu_lost();
	serial_puts("I abort outside a scenario: ");
	serial_puts(here->said.data);
	serial_puts("\n");
	report_done();
}

/* Prints the T line of what was said, and judges it. */
static void conclude(const char *name, const char *expected)
{
	struct text *result = &cpus[0].said;

	print(&other, "T %s: %s\n", name, result->data);
	if (expected && !strings_equal(result->data, expected)) {
		failed = true;
		print(&other, "I %s: expected: %s\n", name, expected);
	}
	if (failed) {
		failed_count++;
		print(&other, "I %s: FAILED\n", name);
	} else {
		passed_count++;
	}
	text_clear(result);
	failed = false;
}

void check_said(const char *name, const char *expected)
{
	conclude(name, expected);
}

void check_outcome(const char *name, u32 outcome, u32 expected)
{
	static struct text wanted;

	text_clear(&cpus[0].said);
	say("%o", outcome);
	if (outcome != expected) {
		failed = true;
		print(&wanted, "I %s: expected: %o\n", name, expected);
	}
	conclude(name, NULL);
}

static void run_guarded(const struct scenario *s)
{
	struct guard guard;

	text_clear(&cpus[0].said);
	failed = false;
	if (guard_enter(&guard) == 0) {
		cpus[0].running = &guard;
		s->run();
	} else if (guard.trapped) {
		say(" L1 exception #%u(%x)", guard.vector, guard.error_code);
		failed = true;
	}
	cpus[0].running = NULL;
	guard_leave(&guard);
}

static void run_one(const struct scenario *s)
{
	u64 mark = pages_mark();

	if (s->offered && !s->offered()) {
		print(&other, "I %s: not offered\n", s->name);
		return;
	}
	run_guarded(s);
	for (u32 i = 0; i < MAX_CLEANUPS && cleanups[i]; i++)
		cleanups[i]();
	pages_release(mark);
	conclude(s->name, s->expected);
}

void scenario_on_end(void (*cleanup)(void))
{
	u32 i = 0;

	while (i < MAX_CLEANUPS - 1 && cleanups[i] && cleanups[i] != cleanup)
		i++;
	cleanups[i] = cleanup;
}

void scenarios_run(const struct scenario *list, u64 count)
{
	for (u64 i = 0; i < count; i++)
		run_one(&list[i]);
}

void info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_clear(&other);
	text_append(&other, format, args);
	va_end(args);
	serial_puts("I ");
	serial_puts(other.data);
	serial_puts("\n");
}

void list_said(void)
{
	print(&other, "L %s\n", cpus[0].said.data);
	text_clear(&cpus[0].said);
}

void measured(const char *name, u64 hundredths)
{
	print(&other, "B %s %lu.%u%u\n", name, hundredths / 100, (u32)(hundredths / 10 % 10),
	      (u32)(hundredths % 10));
}

_Noreturn void report_done(void)
{
	print(&other, "DONE passed=%u failed=%u\n", passed_count, failed_count);
	machine_end();
}
