/* SPDX-License-Identifier: MIT */
/*
 * Text on a framebuffer. Lines go down the lower third of the screen, in columns where
 * it is wide, and begin anew at the top of that; nothing is read back or moved. For last
 * words the whole screen is taken, and what passes its end is left out. Pure: draws into
 * the pixels that it is given, and nowhere else.
 */
#pragma once

#include "arch/types.h"
#include "boot/handoff.h"

#define SCREEN_MAX_SIDE 16384u		/* pixels */

struct screen {
	const struct handoff_screen *about;
	u32 chars;			/* of a column's row */
	u32 columns;
	u32 first_row, rows;		/* of text: the part that is written to */
	u32 column, row;		/* where the next line goes; the row counts from first_row */
	bool last_words;
};

/* False: this is no screen to write on. */
bool screen_init(struct screen *screen, const struct handoff_screen *about);

/* Bytes from the left upper pixel to the end of the last line. */
u64 screen_bytes(const struct handoff_screen *about);

/* The whole screen, cleared; from now on nothing is overwritten. */
void screen_take_all(struct screen *screen, volatile u32 *pixels);

/* In as many rows as it takes. What has no glyph is shown as '?'. */
void screen_line(struct screen *screen, volatile u32 *pixels, const char *line, size_t length);
