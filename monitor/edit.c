/* SPDX-License-Identifier: MIT */
/*
 * Line editing. What is no printable character and no key known here is dropped, escape sequences
 * whole; nothing is echoed that did not go into the line. Pure.
 */
#include "monitor/edit.h"

#include "arch/string.h"

enum {
	KEY_CTRL_C = 3, KEY_BACKSPACE = 8, KEY_LF = 10, KEY_CR = 13, KEY_CTRL_U = 21, KEY_ESCAPE = 27, KEY_DELETE = 127
};

/* How far an escape sequence has come. ECMA-48 "Control sequences". */
enum edit_escape {
	ESCAPE_NONE,
	ESCAPE_BEGUN,		/* ESC */
	ESCAPE_CONTROL,		/* ESC [, and parameters */
	ESCAPE_SHIFT		/* ESC O: one more */
};

void edit_init(struct edit *edit)
{
	memset(edit, 0, sizeof(*edit));
}

void edit_begin(struct edit *edit)
{
	edit->length = 0;
	edit->line[0] = '\0';
	edit->back = 0;
	edit->escape = ESCAPE_NONE;
}

static void erase(struct edit *edit, struct monitor_out *echo, u32 count)
{
	for (; count && edit->length; count--) {
		edit->line[--edit->length] = '\0';
		(void)out_text(echo, "\b \b");
	}
}

static void insert(struct edit *edit, u8 key, struct monitor_out *echo)
{
	if (key < ' ' || key > '~' || edit->length == EDIT_SIZE - 1)
		return;
	edit->line[edit->length++] = (char)key;
	edit->line[edit->length] = '\0';
	(void)out_text(echo, &edit->line[edit->length - 1]);
}

/* --- earlier lines ---------------------------------------------------------------- */

static char *earlier(struct edit *edit, u32 back)
{
	return edit->history[(edit->lines - back) % EDIT_HISTORY];
}

static void remember(struct edit *edit)
{
	if (!edit->length || (edit->lines && memcmp(earlier(edit, 1), edit->line, edit->length + 1) == 0))
		return;
	memcpy(edit->history[edit->lines++ % EDIT_HISTORY], edit->line, EDIT_SIZE);
}

/* The line that was being typed is not kept. */
static void recall(struct edit *edit, bool up, struct monitor_out *echo)
{
	u32 kept = edit->lines < EDIT_HISTORY ? edit->lines : EDIT_HISTORY;

	if (up ? edit->back == kept : edit->back == 0)
		return;
	edit->back = up ? edit->back + 1 : edit->back - 1;
	erase(edit, echo, EDIT_SIZE);
	if (!edit->back)
		return;
	memcpy(edit->line, earlier(edit, edit->back), EDIT_SIZE);
	edit->length = (u32)strlen(edit->line);
	(void)out_text(echo, edit->line);
}

/* --- keys ------------------------------------------------------------------------- */

/* A byte of an escape sequence; control characters end it and count by themselves: false. */
static bool escape(struct edit *edit, u8 key, struct monitor_out *echo)
{
	enum edit_escape state = (enum edit_escape)edit->escape;

	if (state == ESCAPE_NONE || key < ' ') {
		edit->escape = ESCAPE_NONE;
		return false;
	}
	if (state == ESCAPE_BEGUN && (key == '[' || key == 'O')) {
		edit->escape = key == '[' ? ESCAPE_CONTROL : ESCAPE_SHIFT;
		return true;
	}
	if (state == ESCAPE_CONTROL && key < '@') /* a parameter */
		return true;
	edit->escape = ESCAPE_NONE;
	if (state != ESCAPE_BEGUN && (key == 'A' || key == 'B'))
		recall(edit, key == 'A', echo);
	return true;
}

static enum edit_result end_line(struct edit *edit, enum edit_result result, const char *shown, struct monitor_out *echo)
{
	if (result == EDIT_LINE)
		remember(edit);
	(void)out_text(echo, shown);
	return result;
}

enum edit_result edit_key(struct edit *edit, u8 key, struct monitor_out *echo)
{
	bool after_return = edit->after_return;

	edit->after_return = key == KEY_CR;
	if (escape(edit, key, echo))
		return EDIT_MORE;
	switch (key) {
	case KEY_LF:
		if (after_return)
			return EDIT_MORE;
		return end_line(edit, EDIT_LINE, "\n", echo);
	case KEY_CR:
		return end_line(edit, EDIT_LINE, "\n", echo);
	case KEY_CTRL_C:
		return end_line(edit, EDIT_CANCEL, "^C\n", echo);
	case KEY_BACKSPACE:
	case KEY_DELETE:
		erase(edit, echo, 1);
		return EDIT_MORE;
	case KEY_CTRL_U:
		erase(edit, echo, EDIT_SIZE);
		return EDIT_MORE;
	case KEY_ESCAPE:
		edit->escape = ESCAPE_BEGUN;
		return EDIT_MORE;
	default:
		insert(edit, key, echo);
		return EDIT_MORE;
	}
}
