/* SPDX-License-Identifier: MIT */
/*
 * The loader's formatter and its two character sets. Every function is
 * bounded by the size it is given and never reads past a terminator.
 */
#include "boot/uefi/text.h"

struct sink {
	char *out;
	size_t size;
	size_t length;
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->out[sink->length++] = c;
}

static void put_number(struct sink *sink, u64 value, unsigned int base, unsigned int width, char pad)
{
	char digits[20];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > count; width--)
		put(sink, pad);
	while (count)
		put(sink, digits[--count]);
}

size_t text_vformat(char *out, size_t size, const char *format, va_list arguments)
{
	struct sink sink = { out, size, 0 };

	for (; *format; format++) {
		unsigned int width = 0;
		bool is_long = false;
		char pad = ' ';

		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		if (*++format == '0')
			pad = '0';
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (unsigned int)(*format - '0');
		for (; *format == 'l'; format++)
			is_long = true;
		if (*format == 's') {
			for (const char *s = va_arg(arguments, const char *); *s; s++)
				put(&sink, *s);
		} else if (*format == 'c') {
			put(&sink, (char)va_arg(arguments, int));
		} else if (*format == 'u' || *format == 'x') {
			u64 value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int);

			put_number(&sink, value, *format == 'x' ? 16 : 10, width, pad);
		} else if (*format) {
			put(&sink, *format);
		} else {
			break;
		}
	}
	if (size)
		out[sink.length] = '\0';
	return sink.length;
}

size_t text_format(char *out, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = text_vformat(out, size, format, arguments);
	va_end(arguments);
	return length;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

/*
 * One character of UTF-8 at `text`, of `size` > 0 bytes. Returns its length,
 * or 0 for what is not UTF-8: overlong forms, surrogates, beyond 0x10ffff.
 */
static size_t decode(const char *text, size_t size, u32 *character)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	u8 first = (u8)text[0];
	size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	u32 value = length == 1 ? first : first & (0x7fu >> length);

	if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (((u8)text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | ((u8)text[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	*character = value;
	return length;
}

bool text_is_plain_utf8(const char *text, size_t size)
{
	while (size) {
		u32 character = 0;
		size_t length = decode(text, size, &character);

		if (!length || (character < ' ' && character != '\t') || character == 0x7f)
			return false;
		text += length;
		size -= length;
	}
	return true;
}

size_t text_to_ucs2(u16 *out, size_t capacity, const char *text)
{
	size_t left = text_length(text), count = 0;

	while (left && count + 1 < capacity) {
		u32 character = 0;
		size_t length = decode(text, left, &character);

		if (!length)
			length = 1;
		out[count++] = (u16)(character && character < 0x10000 ? character : '?');
		text += length;
		left -= length;
	}
	if (capacity)
		out[count] = 0;
	return count;
}

size_t text_from_ucs2(char *out, size_t size, const u16 *text, size_t count)
{
	struct sink sink = { out, size, 0 };

	if (!size)
		return 0;
	for (size_t i = 0; i < count && text[i]; i++) {
		u32 c = text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f || (c >= 0xd800 && c < 0xe000) || c >= 0xfffe) {
			sink.length = 0;
			break;
		}
		if (c >= 0x800)
			put(&sink, (char)(0xe0 | c >> 12));
		if (c >= 0x80)
			put(&sink, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
		put(&sink, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
	out[sink.length] = '\0';
	return sink.length;
}
