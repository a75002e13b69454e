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

/* Text that comes in pieces: a line ends where the next piece would not fit, and the next one begins with `indent` blanks. */
struct out_wrap {
	struct monitor_out *out;
	u32 indent;
	u32 length;
	bool is_new;			/* nothing but the indent is in the line */
	bool goes_on;			/* the user has not broken off */
	char line[OUT_COLUMNS + 1];
};

void wrap_begin(struct out_wrap *wrap, struct monitor_out *out, u32 indent);
/* With a blank before it, unless the line is new. */
void wrap_add(struct out_wrap *wrap, const char *format, ...) printf_like(2, 3);
/* A sentence, wherever it may be broken. */
void wrap_add_words(struct out_wrap *wrap, const char *text);
/* The line as it is; the next one begins. */
void wrap_break(struct out_wrap *wrap);
/* What is left, if anything is. False: print no more. */
bool wrap_end(struct out_wrap *wrap);
