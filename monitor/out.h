/* SPDX-License-Identifier: MIT */
/*
 * Where the monitor's text goes. Lines end with '\n' alone; what a terminal needs besides is the
 * sink's to add. Pure: tests collect the text.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

/* No line of the monitor's own is longer. */
#define OUT_COLUMNS 100

struct monitor_out {
	/* False: the user has broken off, with Ctrl-C; and so for everything else that this command writes. */
	bool (*write)(struct monitor_out *out, const char *text, size_t length);
};

/* One line, and its end. What passes OUT_COLUMNS characters is cut. False: print no more. */
bool out_line(struct monitor_out *out, const char *format, ...) printf_like(2, 3);

/* The text as it is: a prompt, an echo. */
bool out_text(struct monitor_out *out, const char *text);
