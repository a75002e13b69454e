/* SPDX-License-Identifier: MIT */
/*
 * Draws text: see drivers/screen.h. Pixels are only written, in order, as the memory
 * behind them is slow to read.
 */
#include "drivers/screen.h"

#define GLYPH_WIDTH 8u
#define FIRST_GLYPH ' '
#define COLUMN_CHARS 110u		/* a line that is longer goes on in the next row */

u64 screen_bytes(const struct handoff_screen *about)
{
	return (u64)about->stride * about->height * sizeof(u32);
}

bool screen_init(struct screen *screen, const struct handoff_screen *about)
{
	u32 chars = about->width / GLYPH_WIDTH, rows;

	*screen = (struct screen){ .about = about };
	if (about->base == 0 || about->width > about->stride || about->stride > SCREEN_MAX_SIDE || about->height > SCREEN_MAX_SIDE ||
	    about->glyph_rows == 0 || about->glyph_rows > HANDOFF_GLYPH_ROWS || about->base > UINT64_MAX - screen_bytes(about))
		return false;
	rows = about->height / about->glyph_rows;
	if (chars < 20 || rows < 6)
		return false;
	screen->columns = chars / COLUMN_CHARS != 0 ? chars / COLUMN_CHARS : 1;
	screen->chars = chars / screen->columns;
	screen->rows = rows / 3;
	screen->first_row = rows - screen->rows;
	return true;
}

static const u8 *glyph_of(const struct handoff_screen *about, char c)
{
	u32 glyph = (u8)c - (u32)FIRST_GLYPH;

	return about->glyph[glyph < HANDOFF_GLYPHS ? glyph : '?' - FIRST_GLYPH];
}

/* One row of one column, blank behind the text. */
static void draw_row(const struct screen *screen, volatile u32 *pixels, const char *text, size_t length)
{
	const struct handoff_screen *about = screen->about;
	volatile u32 *left = pixels + (u64)(screen->first_row + screen->row) * about->glyph_rows * about->stride +
			     screen->column * screen->chars * GLYPH_WIDTH;

	for (u32 y = 0; y < about->glyph_rows; y++, left += about->stride) {
		volatile u32 *pixel = left;

		for (u32 i = 0; i < screen->chars; i++) {
			u32 bits = i < length ? glyph_of(about, text[i])[y] : 0;

			for (u32 x = 0; x < GLYPH_WIDTH; x++, bits <<= 1)
				*pixel++ = bits & 0x80 ? about->ink : 0;
		}
	}
}

static void next_row(struct screen *screen)
{
	if (++screen->row < screen->rows)
		return;
	screen->row = 0;
	if (++screen->column == screen->columns && !screen->last_words)
		screen->column = 0;
}

void screen_take_all(struct screen *screen, volatile u32 *pixels)
{
	const struct handoff_screen *about = screen->about;

	for (u32 y = 0; y < about->height; y++)
		for (u32 x = 0; x < about->width; x++)
			pixels[(u64)y * about->stride + x] = 0;
	screen->rows += screen->first_row;
	screen->first_row = screen->row = screen->column = 0;
	screen->last_words = true;
}

void screen_line(struct screen *screen, volatile u32 *pixels, const char *line, size_t length)
{
	do {
		size_t part = length < screen->chars ? length : screen->chars;

		if (screen->column == screen->columns)
			return;
		draw_row(screen, pixels, line, part);
		next_row(screen);
		line += part;
		length -= part;
	} while (length != 0);
	/* So that one sees where the newest line is. */
	if (!screen->last_words)
		draw_row(screen, pixels, line, 0);
}
