/* SPDX-License-Identifier: MIT */
/*
 * Scenarios and their report. A scenario says what happened, in architectural
 * values that do not depend on where it runs; the runner prints it as a "T"
 * line and compares it with what the SDM makes of it. An exception or an
 * abort ends only the scenario.
 */
#pragma once

#include "tests/guests/lib/types.h"

#define PRINTS(format_index) __attribute__((format(printf, format_index, format_index + 1)))

struct scenario {
	const char *name;
	void (*run)(void);
	const char *expected; /* NULL: the scenario judges for itself with expect() */
	bool (*offered)(void); /* NULL: always */
};

/* Adds to the running scenario's result. */
void say(const char *format, ...) PRINTS(1);
/* For scenarios that judge themselves: a false condition fails them. */
void expect(bool condition);
/* Ends the running scenario as failed; on another processor what that was asked, and so the scenario that waits for it. */
_Noreturn void scenario_abort(const char *format, ...) PRINTS(1);

/* A line of its own inside a scenario, for lists of small cases. */
void check_outcome(const char *name, u32 outcome, u32 expected);
/* The same for what say() has gathered since the last line. */
void check_said(const char *name, const char *expected);

/* Called after each scenario, in the order of their first mention, however it ended, while its memory is still its own. */
void scenario_on_end(void (*cleanup)(void));

void scenarios_run(const struct scenario *list, u64 count);
void info(const char *format, ...) PRINTS(1);
/* What say() has gathered, as one of many results that the tests compare themselves: "L result". */
void list_said(void);
/* A measured figure in hundredths. */
void measured(const char *name, u64 hundredths);
_Noreturn void report_done(void);
