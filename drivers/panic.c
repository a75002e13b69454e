/* SPDX-License-Identifier: MIT */
/*
 * Panic: message, dumps of whoever registered, then silence. Only the first
 * panic of a machine prints everything; a panic while dumping prints one line.
 */
#include "drivers/panic.h"

#include "arch/ops.h"
#include "drivers/console.h"

#define MAX_DUMPERS 4

static panic_dumper *dumpers[MAX_DUMPERS];
static panic_stopper *stop_others;
static panic_last_act *last_act;
u64 stop_reasons;
static u32 stopped_count;

void panic_register_dumper(panic_dumper *dumper)
{
	for (size_t i = 0; i < MAX_DUMPERS; i++) {
		if (dumpers[i] == dumper)
			return;
		if (dumpers[i] == NULL) {
			dumpers[i] = dumper;
			return;
		}
	}
}

void panic_set_stopper(panic_stopper *stopper)
{
	stop_others = stopper;
}

void panic_set_last_act(panic_last_act *act)
{
	last_act = act;
}

noreturn void halt_forever(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

static noreturn void stop_counted(void)
{
	(void)__atomic_fetch_add(&stopped_count, 1, __ATOMIC_SEQ_CST);
	halt_forever();
}

noreturn void panic_stop_here(void)
{
	log_error("stopped: another processor has panicked");
	stop_counted();
}

u32 panic_stopped_count(void)
{
	return __atomic_load_n(&stopped_count, __ATOMIC_ACQUIRE);
}

noreturn void panic(const char *format, ...)
{
	bool first = (__atomic_fetch_add(&stop_reasons, 1, __ATOMIC_SEQ_CST) & STOP_FOR_PANIC) == 0;
	va_list arguments;

	console_mark_end();
	log_error("PANIC%s", first ? "" : " (another one)");
	va_start(arguments, format);
	console_line_va(LOG_QUIET, format, arguments);
	va_end(arguments);
	/* As good as stopped by the first one. If this is the first one's own, while it dumps, nobody reads the count. */
	if (!first)
		stop_counted();
	for (size_t i = 0; i < MAX_DUMPERS && dumpers[i] != NULL; i++)
		dumpers[i]();
	if (stop_others != NULL)
		stop_others();
	if (last_act != NULL)
		last_act();
	log_error("this processor is halted");
	halt_forever();
}
