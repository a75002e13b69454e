/* SPDX-License-Identifier: MIT */
/* Lines of the monitor, cut or broken to the width of a terminal. Knows of no terminal. Pure. */
#include "monitor/out.h"

#include "arch/string.h"
#include "drivers/printk.h"

bool out_text(struct monitor_out *out, const char *text)
{
	return out->write(out, text, strlen(text));
}

bool out_line(struct monitor_out *out, const char *format, ...)
{
	char line[OUT_COLUMNS + 2];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = format_text_va(line, OUT_COLUMNS + 1, format, arguments);
	va_end(arguments);
	if (length > OUT_COLUMNS)
		length = OUT_COLUMNS;
	line[length++] = '\n';
	return out->write(out, line, length);
}

/* --- broken lines ----------------------------------------------------------------- */

void wrap_begin(struct out_wrap *wrap, struct monitor_out *out, u32 indent)
{
	wrap->out = out;
	wrap->indent = indent;
	wrap->length = 0;
	wrap->line[0] = '\0';
	wrap->is_new = true;
	wrap->goes_on = true;
}

void wrap_break(struct out_wrap *wrap)
{
	if (wrap->goes_on)
		wrap->goes_on = out_line(wrap->out, "%s", wrap->line);
	memset(wrap->line, ' ', wrap->indent);
	wrap->length = wrap->indent;
	wrap->line[wrap->length] = '\0';
	wrap->is_new = true;
}

static void add(struct out_wrap *wrap, const char *piece, size_t length)
{
	if (!wrap->is_new && wrap->length + 1 + length > OUT_COLUMNS)
		wrap_break(wrap);
	if (!wrap->is_new)
		wrap->line[wrap->length++] = ' ';
	if (length > OUT_COLUMNS - wrap->length)
		length = OUT_COLUMNS - wrap->length;
	memcpy(wrap->line + wrap->length, piece, length);
	wrap->length += (u32)length;
	wrap->is_new = false;
	wrap->line[wrap->length] = '\0';
}

void wrap_add(struct out_wrap *wrap, const char *format, ...)
{
	char piece[OUT_COLUMNS + 1];
	va_list arguments;

	va_start(arguments, format);
	(void)format_text_va(piece, sizeof(piece), format, arguments);
	va_end(arguments);
	add(wrap, piece, strlen(piece));
}

void wrap_add_words(struct out_wrap *wrap, const char *text)
{
	while (*text) {
		size_t length = 0;

		while (text[length] && text[length] != ' ')
			length++;
		if (length)
			add(wrap, text, length);
		text += length + (text[length] == ' ');
	}
}

bool wrap_end(struct out_wrap *wrap)
{
	if (wrap->goes_on && !wrap->is_new)
		wrap->goes_on = out_line(wrap->out, "%s", wrap->line);
	wrap->length = 0;
	wrap->is_new = true;
	return wrap->goes_on;
}
