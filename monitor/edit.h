/* SPDX-License-Identifier: MIT */
/*
 * The line that a user types, key by key: backspace, Ctrl-U, Ctrl-C, arrow up and down for earlier lines.
 * Nothing that comes in can do more than fill the line. Pure.
 */
#pragma once

#include "monitor/out.h"

#define EDIT_SIZE 128		/* a line with its NUL */
#define EDIT_HISTORY 8		/* earlier lines */

enum edit_result {
	EDIT_MORE,	/* nothing to do yet */
	EDIT_LINE,	/* `line` is one; edit_begin() before the next key */
	EDIT_CANCEL	/* Ctrl-C: the line is given up; edit_begin() */
};

struct edit {
	char line[EDIT_SIZE];		/* always ends with NUL */
	u32 length;
	u8 escape;			/* enum edit_escape, in edit.c */
	bool after_return;		/* CR came last: an LF belongs to it */
	char history[EDIT_HISTORY][EDIT_SIZE];	/* a ring: the newest is at (lines - 1) % EDIT_HISTORY */
	u32 lines;			/* ever put there */
	u32 back;			/* how far back the user has gone; 0: at the line being typed */
};

/* Once; zeroed memory will do as well. */
void edit_init(struct edit *edit);

/* An empty line. What the user has typed before stays in the history. */
void edit_begin(struct edit *edit);

/* A byte from the terminal. What the terminal is to show of it goes to `echo`, the end of a line too. */
enum edit_result edit_key(struct edit *edit, u8 key, struct monitor_out *echo);
