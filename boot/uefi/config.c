/* SPDX-License-Identifier: MIT */
/*
 * Parses the configuration file and the load options, by one table of keys.
 * Must not stop at anything: what cannot be used becomes a note.
 */
#include "boot/uefi/config.h"

#include "arch/compiler.h"
#include "boot/handoff.h"
#include "boot/uefi/text.h"

/* A stretch of the input. */
struct span {
	const char *at;
	size_t size;
};

/* What a key takes: text of bounded length, one of the listed words, or a number of CPUs. */
enum kind { TEXT, PATH, CHOICE, CPUS };

struct choice {
	const char *word;
	u32 value;
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;			/* in struct config */
	size_t size;			/* of TEXT and PATH */
	struct choice choices[6];	/* of CHOICE, ends with NULL */
	const char *allowed;		/* for people */
};

#define AT(member) offsetof(struct config, member)

static const struct key keys[] = {
	{ "l1", PATH, AT(l1), CONFIG_PATH_SIZE, { { 0 } }, "a path on this volume of at most 510 bytes" },
	{ "options", TEXT, AT(options), CONFIG_OPTIONS_SIZE, { { 0 } }, "text of at most 4095 bytes" },
	{ "console", CHOICE, AT(console), 0,
	  { { "com1", CONFIG_CONSOLE_COM1 }, { "com2", CONFIG_CONSOLE_COM2 }, { "com3", CONFIG_CONSOLE_COM3 },
	    { "com4", CONFIG_CONSOLE_COM4 }, { "none", CONFIG_CONSOLE_NONE } },
	  "com1, com2, com3, com4, none" },
	{ "log", CHOICE, AT(log), 0,
	  { { "quiet", LOG_QUIET }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "trace", LOG_TRACE } },
	  "quiet, info, debug, trace" },
	{ "cpus", CPUS, AT(cpus), 0, { { 0 } }, "all, or a number from 1 to 256" },
	{ "unsupported", CHOICE, AT(unsupported), 0,
	  { { "stop", CONFIG_UNSUPPORTED_STOP }, { "boot", CONFIG_UNSUPPORTED_BOOT } }, "stop, boot" },
	{ "unlaunched", CHOICE, AT(unlaunched), 0,
	  { { "stop", CONFIG_UNLAUNCHED_STOP }, { "leave", CONFIG_UNLAUNCHED_LEAVE } }, "stop, leave" },
	{ "leaves", CHOICE, AT(leaves), 0, { { "on", 1 }, { "off", 0 } }, "on, off" },
	{ "refusals", CHOICE, AT(refusals), 0, { { "on", 1 }, { "off", 0 } }, "on, off" },
	{ "shadowing", CHOICE, AT(shadowing), 0, { { "on", 1 }, { "off", 0 } }, "on, off" },
};

/* Which keys this source has set, to tell of repetitions. */
struct seen {
	bool set[array_size(keys)];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.size && is_blank(s.at[0]))
		s.at++, s.size--;
	while (s.size && is_blank(s.at[s.size - 1]))
		s.size--;
	return s;
}

static bool span_is(struct span s, const char *word)
{
	for (size_t i = 0; i < s.size; i++)
		if (!word[i] || word[i] != s.at[i])
			return false;
	return !word[s.size];
}

static void note(struct config_notes *notes, u32 line, enum config_problem problem, size_t key, struct span word)
{
	struct config_note *n = &notes->note[notes->count];
	size_t length = word.size < CONFIG_WORD_SIZE - 1 ? word.size : CONFIG_WORD_SIZE - 1;

	if (notes->count == CONFIG_NOTES) {
		notes->dropped++;
		return;
	}
	notes->count++;
	n->line = line;
	n->problem = problem;
	n->key = (u32)key;
	/* Bytes that are not ASCII are shown as '?': the console may not know them, and the cut may split one. */
	for (size_t i = 0; i < length; i++)
		n->word[i] = word.at[i] >= ' ' && word.at[i] < 0x7f ? word.at[i] : '?';
	n->word[length] = '\0';
}

/* Copies a value into `to`; a doubled quote inside a quoted value is one quote. */
static bool copy_text(char *to, size_t size, struct span value, bool quoted, bool path)
{
	size_t length = 0;

	if (path && value.size && value.at[0] != '\\' && value.at[0] != '/')
		to[length++] = '\\';
	for (size_t i = 0; i < value.size; i++) {
		char c = value.at[i];

		if (length + 1 >= size)
			return false;
		if (quoted && c == '"')
			i++;
		to[length++] = path && c == '/' ? '\\' : c;
	}
	to[length] = '\0';
	return true;
}

static bool parse_cpus(struct span value, u32 *cpus)
{
	u32 number = 0;

	if (span_is(value, "all")) {
		*cpus = CONFIG_ALL_CPUS;
		return true;
	}
	for (size_t i = 0; i < value.size; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' || number > CONFIG_MAX_CPUS)
			return false;
		number = number * 10 + (u32)(value.at[i] - '0');
	}
	if (!number || number > CONFIG_MAX_CPUS)
		return false;
	*cpus = number;
	return true;
}

static bool parse_choice(const struct key *key, struct span value, u32 *chosen)
{
	for (const struct choice *c = key->choices; c->word; c++) {
		if (span_is(value, c->word)) {
			*chosen = c->value;
			return true;
		}
	}
	return false;
}

/* A text that does not fit must leave the old one whole, so it is built beside it. */
static bool parse_text(struct config *config, const struct key *key, struct span value, bool quoted)
{
	char text[CONFIG_OPTIONS_SIZE];
	char *to = (char *)config + key->offset;

	static_assert(CONFIG_PATH_SIZE <= CONFIG_OPTIONS_SIZE, "text[] must hold either");
	if (!copy_text(text, key->size, value, quoted, key->kind == PATH))
		return false;
	text_format(to, key->size, "%s", text);
	return true;
}

static bool assign(struct config *config, const struct key *key, struct span value, bool quoted)
{
	u32 *number = (u32 *)(void *)((char *)config + key->offset);

	switch (key->kind) {
	case TEXT:
	case PATH:
		return parse_text(config, key, value, quoted);
	case CHOICE:
		return parse_choice(key, value, number);
	case CPUS:
		return parse_cpus(value, number);
	}
	return false;
}

/* The quotes around a value are taken off if they enclose all of it. */
static bool unquote(struct span *value)
{
	size_t i;

	if (value->size < 2 || value->at[0] != '"')
		return false;
	for (i = 1; i < value->size; i++) {
		if (value->at[i] != '"')
			continue;
		if (i + 1 < value->size && value->at[i + 1] == '"')
			i++;
		else
			break;
	}
	if (i + 1 != value->size)
		return false;
	value->at++;
	value->size -= 2;
	return true;
}

static void set(struct config *config, struct config_notes *notes, struct seen *seen, u32 line, struct span name,
		struct span value)
{
	size_t k;

	for (k = 0; k < array_size(keys); k++)
		if (span_is(name, keys[k].name))
			break;
	if (k == array_size(keys)) {
		note(notes, line, CONFIG_UNKNOWN_KEY, 0, name);
		return;
	}

	bool quoted = unquote(&value);
	bool is_text = keys[k].kind == TEXT || keys[k].kind == PATH;

	if (!assign(config, &keys[k], value, quoted)) {
		note(notes, line, is_text ? CONFIG_TOO_LONG : CONFIG_BAD_VALUE, k, value);
		return;
	}
	if (seen->set[k])
		note(notes, line, CONFIG_REPEATED, k, name);
	seen->set[k] = true;
}

/* Cuts a comment off: a '#' at the beginning or after a blank, outside quotes. False: a quote stays open. */
static bool cut_comment(struct span *line)
{
	bool in_quotes = false;

	for (size_t i = 0; i < line->size; i++) {
		if (line->at[i] == '"')
			in_quotes = !in_quotes;
		if (line->at[i] == '#' && !in_quotes && (i == 0 || is_blank(line->at[i - 1])))
			line->size = i;
	}
	return !in_quotes;
}

static void read_line(struct config *config, struct config_notes *notes, struct seen *seen, u32 number,
		      struct span line)
{
	size_t equals = 0;
	bool quotes_match;

	if (!text_is_plain_utf8(line.at, line.size)) {
		note(notes, number, CONFIG_NOT_TEXT, 0, line);
		return;
	}
	line = trim(line);
	quotes_match = cut_comment(&line);
	line = trim(line);
	if (!line.size)
		return;
	while (equals < line.size && line.at[equals] != '=')
		equals++;
	if (equals == line.size) {
		note(notes, number, CONFIG_NO_EQUALS, 0, line);
		return;
	}
	if (!quotes_match) {
		note(notes, number, CONFIG_OPEN_QUOTE, 0, line);
		return;
	}
	set(config, notes, seen, number, trim((struct span){ line.at, equals }),
	    trim((struct span){ line.at + equals + 1, line.size - equals - 1 }));
}

void config_read_file(struct config *config, struct config_notes *notes, const char *text, size_t size)
{
	struct seen seen = { 0 };
	u32 number = 1;
	size_t at = 0;

	/* UTF-8's byte-order mark, as some editors write it. */
	if (size >= 3 && (u8)text[0] == 0xef && (u8)text[1] == 0xbb && (u8)text[2] == 0xbf)
		at = 3;
	for (; at < size; number++) {
		size_t end = at, length;

		while (end < size && text[end] != '\n')
			end++;
		length = end - at;
		if (length && text[at + length - 1] == '\r')
			length--;
		read_line(config, notes, &seen, number, (struct span){ text + at, length });
		at = end + 1;
	}
}

/* The next word of the load options: blanks separate, except between quotes. */
static struct span next_word(struct span *rest, bool *open_quote)
{
	struct span word = trim(*rest);
	size_t length = 0;
	bool in_quotes = false;

	while (length < word.size && (in_quotes || !is_blank(word.at[length]))) {
		if (word.at[length] == '"')
			in_quotes = !in_quotes;
		length++;
	}
	*rest = (struct span){ word.at + length, word.size - length };
	*open_quote = in_quotes;
	return (struct span){ word.at, length };
}

static size_t find_equals(struct span word)
{
	size_t equals = 0;

	while (equals < word.size && word.at[equals] != '=')
		equals++;
	return equals;
}

void config_read_load_options(struct config *config, struct config_notes *notes, const char *text, size_t size)
{
	struct seen seen = { 0 };
	struct span rest = { text, size };

	if (!text_is_plain_utf8(text, size)) {
		note(notes, 0, CONFIG_NOT_TEXT, 0, rest);
		return;
	}
	for (bool first = true;; first = false) {
		bool open_quote;
		struct span word = next_word(&rest, &open_quote);
		size_t equals = find_equals(word);

		if (!word.size)
			break;
		if (open_quote) {
			note(notes, 0, CONFIG_OPEN_QUOTE, 0, word);
			continue;
		}
		/* A shell puts the program's own name first. */
		if (equals == word.size && !first)
			note(notes, 0, CONFIG_NO_EQUALS, 0, word);
		if (equals < word.size)
			set(config, notes, &seen, 0, (struct span){ word.at, equals },
			    (struct span){ word.at + equals + 1, word.size - equals - 1 });
	}
	/* keys[0] is l1, keys[1] options. */
	if (seen.set[0] && !seen.set[1])
		config->options[0] = '\0';
}

void config_defaults(struct config *config)
{
	*config = (struct config){
		.console = CONFIG_CONSOLE_COM1,
		.log = LOG_INFO,
		.cpus = CONFIG_ALL_CPUS,
		.unsupported = CONFIG_UNSUPPORTED_STOP,
		.unlaunched = CONFIG_UNLAUNCHED_STOP,
		.leaves = 1,
		.refusals = 1,
		.shadowing = 1,
	};
}

void config_describe(const struct config_note *n, char *out, size_t size)
{
	const struct key *key = &keys[n->key < array_size(keys) ? n->key : 0];
	char where[32] = "load options";

	if (n->line)
		text_format(where, sizeof(where), "testudo.cfg line %u", n->line);
	switch (n->problem) {
	case CONFIG_NOT_TEXT:
		text_format(out, size, "%s: this is not UTF-8 text; ignored", where);
		break;
	case CONFIG_NO_EQUALS:
		text_format(out, size, "%s: \"%s\" has no \"=\": settings are written key = value; ignored", where,
			    n->word);
		break;
	case CONFIG_OPEN_QUOTE:
		text_format(out, size, "%s: a quotation mark is not closed in \"%s\"; ignored", where, n->word);
		break;
	case CONFIG_UNKNOWN_KEY:
		text_format(out, size,
			    "%s: there is no key \"%s\"; there are l1, options, console, log, cpus, unsupported, "
			    "unlaunched, leaves, refusals, shadowing; ignored",
			    where, n->word);
		break;
	case CONFIG_BAD_VALUE:
		text_format(out, size, "%s: %s cannot be \"%s\"; allowed: %s; ignored", where, key->name, n->word,
			    key->allowed);
		break;
	case CONFIG_TOO_LONG:
		text_format(out, size, "%s: the value of %s is too long; allowed: %s; ignored", where, key->name,
			    key->allowed);
		break;
	case CONFIG_REPEATED:
		text_format(out, size, "%s: %s is set once more; this setting counts", where, key->name);
		break;
	}
}
