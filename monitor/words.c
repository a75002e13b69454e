/* SPDX-License-Identifier: MIT */
/* Words and numbers of a command line. Pure. */
#include "monitor/words.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

u32 words_split(char *line, char *words[], u32 most)
{
	u32 count = 0;

	for (;;) {
		while (is_blank(*line))
			line++;
		if (!*line)
			return count;
		if (count < most)
			words[count] = line;
		count++;
		while (*line && !is_blank(*line))
			line++;
		if (*line && count <= most)
			*line++ = '\0';
	}
}

bool words_begins(const char *whole, const char *beginning)
{
	for (; *beginning; whole++, beginning++)
		if (lower(*whole) != lower(*beginning))
			return false;
	return true;
}

bool words_equal(const char *a, const char *b)
{
	for (; lower(*a) == lower(*b); a++, b++)
		if (!*a)
			return true;
	return false;
}

bool words_contain(const char *whole, const char *part)
{
	for (;; whole++) {
		if (words_begins(whole, part))
			return true;
		if (!*whole)
			return false;
	}
}

static u32 digit(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	return c >= 'a' && c <= 'f' ? (u32)(c - 'a') + 10 : 16;
}

/* False when there is no digit, one that is none, or too many. */
static bool number(const char *word, u32 base, u64 *value)
{
	u64 sum = 0;

	if (!*word)
		return false;
	for (; *word; word++) {
		u32 next = digit(*word);

		if (next >= base || sum > (UINT64_MAX - next) / base)
			return false;
		sum = sum * base + next;
	}
	*value = sum;
	return true;
}

bool words_hex(const char *word, u64 *value)
{
	return number(words_begins(word, "0x") ? word + 2 : word, 16, value);
}

bool words_number(const char *word, u64 *value)
{
	return words_begins(word, "0x") ? words_hex(word, value) : number(word, 10, value);
}
