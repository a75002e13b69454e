/* SPDX-License-Identifier: MIT */
/*
 * The table of keys and the forms of their values. A value that is not
 * allowed changes nothing.
 */
#include "boot/uefi/config_keys.h"

#include "arch/bits.h"
#include "arch/compiler.h"
#include "boot/handoff.h"
#include "boot/uefi/config_console.h"
#include "boot/uefi/text.h"
#include "drivers/uart.h"

#define AT(member) offsetof(struct config, member)
#define H(word, control_word, controls, capabilities) ", " word
#define ON_OFF "off, on"

const struct key config_keys[KEY_COUNT] = {
	[KEY_L1] = { "l1", "a path on this volume of at most 510 bytes", PATH, ANYWHERE, AT(l1), CONFIG_PATH_SIZE },
	[KEY_OPTIONS] = { "options", "text of at most 4095 bytes", TEXT, ANYWHERE, AT(options), CONFIG_OPTIONS_SIZE },
	[KEY_DEFAULT] = { "default", "the name of an entry", TEXT, IN_FILE, AT(default_name), CONFIG_NAME_SIZE },
	[KEY_ENTRY] = { "entry", "the name of an entry", TEXT, IN_OPTIONS, AT(wanted_name), CONFIG_NAME_SIZE },
	{ "title", "text of at most 63 bytes", TEXT, IN_ENTRY, AT(title), CONFIG_TITLE_SIZE },
	{ "timeout", "never, or a number of seconds from 0 to 3600", SECONDS, IN_FILE | IN_OPTIONS, AT(timeout), 0 },
	{ "console", "none, auto, com1 to com4, port:0xPORT[,STRIDE], mmio:0xADDRESS[,STRIDE], mmio32:0xADDRESS[,STRIDE], "
	  "pci:BUS:DEVICE.FUNCTION[,BAR[,STRIDE]], pci32:...", CONSOLE, IN_FILE | IN_OPTIONS, AT(console), 0 },
	{ "baud", "keep, or a part of 115200 from 50 on: 9600, 19200, 38400, 57600, 115200", BAUD, IN_FILE | IN_OPTIONS, AT(baud), 0 },
	{ "timestamps", ON_OFF, CHOICE, IN_FILE | IN_OPTIONS, AT(timestamps), 0 },
	{ "colours", ON_OFF, CHOICE, IN_FILE | IN_OPTIONS, AT(colours), 0 },
	{ "log", "quiet, info, debug, trace", CHOICE, ANYWHERE, AT(log), 0 },
	{ "cpus", "all, or a number from 1 to 256", CPUS, ANYWHERE, AT(cpus), 0 },
	{ "unsupported", "stop, boot", CHOICE, IN_FILE | IN_OPTIONS, AT(unsupported), 0 },
	{ "unlaunched", "stop, leave", CHOICE, IN_FILE | IN_OPTIONS, AT(unlaunched), 0 },
	{ "check", "off, on, save", CHOICE, IN_FILE | IN_OPTIONS, AT(check), 0 },
	{ "leaves", ON_OFF, CHOICE, ANYWHERE, AT(leaves), 0 },
	{ "refusals", ON_OFF, CHOICE, ANYWHERE, AT(refusals), 0 },
	{ "shadowing", ON_OFF, CHOICE, ANYWHERE, AT(shadowing), 0 },
	{ "trace", "off, on, or a number of KB from 8 to 16384", KILOBYTES, ANYWHERE, AT(trace), 0 },
	{ "monitor", ON_OFF, CHOICE, IN_FILE | IN_OPTIONS, AT(monitor), 0 },
	{ "hotkey", "ctrl-a to ctrl-z, ctrl-\\, ctrl-], ctrl-^, ctrl-_", CONTROL, IN_FILE | IN_OPTIONS, AT(hotkey), 0 },
	{ "hide", "none"
#include "boot/hide.def"
	  , CHOICES, ANYWHERE, AT(hide), 0 },
};
#undef H

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.size && is_blank(s.at[0]))
		s.at++, s.size--;
	while (s.size && is_blank(s.at[s.size - 1]))
		s.size--;
	return s;
}

bool span_is(struct span s, const char *word)
{
	for (size_t i = 0; i < s.size; i++)
		if (!word[i] || word[i] != s.at[i])
			return false;
	return !word[s.size];
}

/* Takes the first word off a list that blanks and commas part. */
static struct span take_word(struct span *list)
{
	struct span word;

	while (list->size && (is_blank(list->at[0]) || list->at[0] == ','))
		list->at++, list->size--;
	word = (struct span){ list->at, 0 };
	while (word.size < list->size && !is_blank(word.at[word.size]) && word.at[word.size] != ',')
		word.size++;
	list->at += word.size, list->size -= word.size;
	return word;
}

/* Which of the listed words it is, from 0 on; -1: none of them. */
static int find_word(const char *listed, struct span word)
{
	struct span list = { listed, text_length(listed) };

	for (int i = 0; list.size; i++) {
		struct span one = take_word(&list);
		size_t same = 0;

		while (same < one.size && same < word.size && one.at[same] == word.at[same])
			same++;
		if (same == one.size && same == word.size)
			return i;
	}
	return -1;
}

static bool assign_choice(const struct key *key, struct span value, u32 *chosen)
{
	int found = find_word(key->allowed, value);

	if (found >= 0)
		*chosen = (u32)found;
	return found >= 0;
}

static bool assign_choices(const struct key *key, struct span *value, u64 *chosen)
{
	struct span rest = *value, word;
	u64 bits = 0;

	while ((word = take_word(&rest)).size) {
		int found = find_word(key->allowed, word);

		if (found < 0) {
			*value = word;
			return false;
		}
		/* The first word is none of them. */
		bits |= BIT(found) >> 1;
	}
	*chosen = bits;
	return true;
}

/* `word` stands for a number that cannot be written. */
static bool assign_number(struct span value, const char *word, u32 meaning, u32 least, u32 most, u32 *chosen)
{
	u32 number = 0;

	if (span_is(value, word)) {
		*chosen = meaning;
		return true;
	}
	for (size_t i = 0; i < value.size; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' || number > most)
			return false;
		number = number * 10 + (u32)(value.at[i] - '0');
	}
	if (!value.size || number < least || number > most)
		return false;
	*chosen = number;
	return true;
}

/* The byte that a terminal sends for such a key; that of ctrl-[ is Escape's, with which other keys' begin. */
static bool assign_control(struct span value, u32 *chosen)
{
	char c = value.size == 6 ? value.at[5] : '\0';

	if (!span_is((struct span){ value.at, value.size - (value.size > 0) }, "ctrl-"))
		return false;
	if (!(c >= 'a' && c <= 'z') && !(c >= '\\' && c <= '_'))
		return false;
	*chosen = (u32)c & 0x1f;
	return true;
}

/* Only what the divisor gives exactly. */
static bool assign_baud(struct span value, u32 *chosen)
{
	u32 baud;

	if (!assign_number(value, "keep", CONFIG_BAUD_KEEP, CONFIG_MIN_BAUD, UART_MAX_BAUD, &baud) ||
	    (baud != CONFIG_BAUD_KEEP && UART_MAX_BAUD % baud != 0))
		return false;
	*chosen = baud;
	return true;
}

/* How long the text is with its doubled quotes made one and a path's backslash put in front; written only where `to` is given. */
static size_t copy_text(char *to, struct span value, bool quoted, bool path)
{
	size_t length = 0;

	if (path && value.size && value.at[0] != '\\' && value.at[0] != '/') {
		if (to)
			to[length] = '\\';
		length++;
	}
	for (size_t i = 0; i < value.size; i++) {
		char c = value.at[i];

		if (quoted && c == '"')
			i++;
		if (to)
			to[length] = path && c == '/' ? '\\' : c;
		length++;
	}
	if (to)
		to[length] = '\0';
	return length;
}

bool config_assign(struct config *config, const struct key *key, struct span *value, bool quoted)
{
	void *to = (char *)config + key->offset;
	bool path = key->kind == PATH;

	switch ((enum kind)key->kind) {
	case TEXT:
	case PATH:
		if (copy_text(NULL, *value, quoted, path) >= key->size)
			return false;
		copy_text(to, *value, quoted, path);
		return true;
	case CHOICE:
		return assign_choice(key, *value, to);
	case CHOICES:
		return assign_choices(key, value, to);
	case CPUS:
		return assign_number(*value, "all", CONFIG_ALL_CPUS, 1, CONFIG_MAX_CPUS, to);
	case KILOBYTES:
		if (!span_is(*value, "on"))
			return assign_number(*value, "off", 0, CONFIG_MIN_TRACE, CONFIG_MAX_TRACE, to);
		*(u32 *)to = CONFIG_TRACE_ON;
		return true;
	case CONTROL:
		return assign_control(*value, to);
	case BAUD:
		return assign_baud(*value, to);
	case CONSOLE:
		return config_console_parse(*value, to);
	case SECONDS:
		return assign_number(*value, "never", CONFIG_TIMEOUT_NEVER, 0, CONFIG_MAX_TIMEOUT, to);
	}
	return false;
}
