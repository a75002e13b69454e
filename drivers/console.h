/* SPDX-License-Identifier: MIT */
/*
 * L0's console: a serial port and a ring in memory. Lines come whole, in the
 * form `testudo[cpu]: message`, with the time in front where that is wanted; no lock is one that a panic could hang on.
 */
#pragma once

#include <stdarg.h>

#include "arch/compiler.h"
#include "arch/types.h"
#include "boot/handoff.h"
#include "drivers/line_budget.h"
#include "drivers/lock.h"

/* Not for callers, who need none: self tests break it on purpose. */
extern struct lock console_lock;

/* Once, by the first CPU. */
void console_init(const struct handoff_console *console, enum log_level level);

/* Is a line of that level shown? For callers whose arguments cost something. */
bool console_shows(enum log_level level);

enum log_level console_level(void);
void console_set_level(enum log_level level);

/* One line, without its end. What passes 260 characters is cut. */
void console_line(enum log_level level, const char *format, ...) printf_like(2, 3);
void console_line_va(enum log_level level, const char *format, va_list arguments);

/* The same while the budget lasts; then a line says that there will be no more of this kind. */
void console_line_within(struct line_budget *budget, enum log_level level, const char *format, ...) printf_like(3, 4);

/* log_error is shown at every level. */
#define log_error(...) console_line(LOG_QUIET, __VA_ARGS__)
#define log_info(...) console_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) console_line(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) console_line(LOG_TRACE, __VA_ARGS__)
#define log_info_within(budget, ...) console_line_within(budget, LOG_INFO, __VA_ARGS__)
#define log_error_within(budget, ...) console_line_within(budget, LOG_QUIET, __VA_ARGS__)
