/* SPDX-License-Identifier: MIT */
/* Text into a bounded buffer; what does not fit is cut. */
#include "tests/guests/lib/text.h"

#include "tests/guests/lib/vmx_ops.h"

static void put(struct text *t, char c)
{
	if (t->length + 1 >= sizeof(t->data))
		return;
	t->data[t->length++] = c;
	t->data[t->length] = 0;
}

static void put_string(struct text *t, const char *s)
{
	while (*s)
		put(t, *s++);
}

static void put_number(struct text *t, u64 value, u32 base)
{
	char digits[24];
	u32 count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(t, digits[--count]);
}

static void put_hex(struct text *t, u64 value)
{
	if (value > 9)
		put_string(t, "0x");
	put_number(t, value, 16);
}

static void put_outcome(struct text *t, u32 outcome)
{
	if (outcome == OUTCOME_OK)
		put_string(t, "ok");
	else if (outcome == OUTCOME_FAIL_INVALID)
		put_string(t, "VMfailInvalid");
	else
		put_string(t, outcome & OUTCOME_EXCEPTION ? "#" : "VMfailValid ");
	if (outcome & (OUTCOME_EXCEPTION | OUTCOME_FAIL_VALID))
		put_number(t, outcome & 0xff, 10);
	if (outcome == (OUTCOME_EXCEPTION | 13) || outcome == (OUTCOME_EXCEPTION | 14)) {
		put(t, '(');
		put_hex(t, attempt_error_code());
		put(t, ')');
	}
}

static void put_signed(struct text *t, long value)
{
	if (value < 0)
		put(t, '-');
	put_number(t, value < 0 ? 0 - (u64)value : (u64)value, 10);
}

void text_clear(struct text *t)
{
	t->length = 0;
	t->data[0] = 0;
}

void text_append(struct text *t, const char *format, va_list args)
{
	for (; *format; format++) {
		bool is_long = false;

		if (*format != '%') {
			put(t, *format);
			continue;
		}
		if (*++format == 'l') {
			is_long = true;
			format++;
		}
		switch (*format) {
		case 's':
			put_string(t, va_arg(args, const char *));
			break;
		case 'c':
			put(t, (char)va_arg(args, int));
			break;
		case 'd':
			put_signed(t, is_long ? va_arg(args, long) : va_arg(args, int));
			break;
		case 'u':
			put_number(t, is_long ? va_arg(args, u64) : va_arg(args, u32), 10);
			break;
		case 'x':
			put_hex(t, is_long ? va_arg(args, u64) : va_arg(args, u32));
			break;
		case 'o':
			put_outcome(t, va_arg(args, u32));
			break;
		default:
			put(t, *format);
			break;
		}
	}
}
