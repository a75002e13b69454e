/* SPDX-License-Identifier: MIT */
/*
 * The formatter behind every line of the console; compared with the C
 * library's by tests/unit/test_printk.c. Allocates nothing, never fails.
 */
#include "drivers/printk.h"

struct output {
	char *text;
	size_t size;		/* room, the final NUL included */
	size_t length;		/* of the whole text, also of what did not fit */
};

struct conversion {
	bool zero_pad, left, alternate;
	unsigned int width;
	unsigned int longs;	/* how many l, or 1 for z */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->text[out->length] = c;
	out->length++;
}

static void put_padding(struct output *out, char c, size_t used, size_t width)
{
	for (; used < width; used++)
		put(out, c);
}

static void put_string(struct output *out, const struct conversion *how, const char *text)
{
	size_t length = 0;

	if (text == NULL)
		text = "(null)";
	while (text[length] != 0)
		length++;
	if (!how->left)
		put_padding(out, ' ', length, how->width);
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
	if (how->left)
		put_padding(out, ' ', length, how->width);
}

/* `prefix` ("-", "0x" or "") goes before zeros but after blanks. */
static void put_number(struct output *out, const struct conversion *how, u64 value, unsigned int base,
		       const char *digits, const char *prefix)
{
	char reversed[24];
	size_t count = 0, prefix_length = 0, used;

	do {
		reversed[count++] = digits[value % base];
		value /= base;
	} while (value != 0);
	while (prefix[prefix_length] != 0)
		prefix_length++;
	used = count + prefix_length;

	if (!how->left && !how->zero_pad)
		put_padding(out, ' ', used, how->width);
	for (size_t i = 0; i < prefix_length; i++)
		put(out, prefix[i]);
	if (!how->left && how->zero_pad)
		put_padding(out, '0', used, how->width);
	while (count > 0)
		put(out, reversed[--count]);
	if (how->left)
		put_padding(out, ' ', used, how->width);
}

/* Reads flags, width and length; returns the conversion character's place. */
static const char *parse_conversion(const char *at, struct conversion *how)
{
	*how = (struct conversion){ 0 };
	for (;; at++) {
		if (*at == '0')
			how->zero_pad = true;
		else if (*at == '-')
			how->left = true;
		else if (*at == '#')
			how->alternate = true;
		else
			break;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		if (how->width < 1000)
			how->width = how->width * 10 + (unsigned int)(*at - '0');
	for (; *at == 'l' || *at == 'z'; at++)
		how->longs++;
	return at;
}

static void put_signed(struct output *out, const struct conversion *how, s64 value)
{
	/* Negating in u64 is defined for the smallest value too. */
	u64 magnitude = value < 0 ? -(u64)value : (u64)value;

	put_number(out, how, magnitude, 10, "0123456789", value < 0 ? "-" : "");
}

static void put_hex(struct output *out, const struct conversion *how, u64 value, bool upper)
{
	const char *prefix = !how->alternate || value == 0 ? "" : upper ? "0X" : "0x";

	put_number(out, how, value, 16, upper ? "0123456789ABCDEF" : "0123456789abcdef", prefix);
}

size_t format_text_va(char *text, size_t size, const char *format, va_list arguments)
{
	struct output out = { text, size, 0 };
	struct conversion how;
	char c[2] = { 0, 0 };
	u64 value;

	for (const char *at = format; *at != 0; at++) {
		if (*at != '%') {
			put(&out, *at);
			continue;
		}
		at = parse_conversion(at + 1, &how);
		switch (*at) {
		case 'd':
		case 'i':
			put_signed(&out, &how, how.longs ? va_arg(arguments, long) : va_arg(arguments, int));
			break;
		case 'u':
		case 'x':
		case 'X':
			value = how.longs ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int);
			if (*at == 'u')
				put_number(&out, &how, value, 10, "0123456789", "");
			else
				put_hex(&out, &how, value, *at == 'X');
			break;
		case 'p':
			how.alternate = true;
			put_hex(&out, &how, (u64)(uintptr_t)va_arg(arguments, void *), false);
			break;
		case 's':
			put_string(&out, &how, va_arg(arguments, const char *));
			break;
		case 'c':
			c[0] = (char)va_arg(arguments, int);
			put_string(&out, &how, c);
			break;
		case '%':
			put(&out, '%');
			break;
		case 0:
			at--;	/* a lone % ends the format */
			break;
		default:
			put(&out, '%');
			put(&out, *at);
		}
	}
	if (size > 0)
		text[out.length < size ? out.length : size - 1] = 0;
	return out.length;
}

size_t format_text(char *out, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = format_text_va(out, size, format, arguments);
	va_end(arguments);
	return length;
}
