/* SPDX-License-Identifier: MIT */
/*
 * Parses the configuration file and the load options, by the table of
 * config_keys.c. Must not stop at anything: what cannot be used becomes a note.
 */
#include "boot/uefi/config.h"

#include "arch/compiler.h"
#include "boot/handoff.h"
#include "boot/uefi/config_keys.h"
#include "boot/uefi/text.h"

/* One source of settings, while it is read. */
struct reader {
	struct config *config;
	struct config_notes *notes;	/* NULL: nobody wants to know */
	u32 line;			/* 0: the load options */
	u8 place;			/* enum place; 0: below a heading that is none */
	u32 set;			/* bit n: key n has been set here, to tell of repetitions */
	u32 default_line;		/* where KEY_DEFAULT was set */
};

static void note(struct reader *reader, enum config_problem problem, u32 key, struct span word)
{
	struct config_notes *notes = reader->notes;
	struct config_note *n;
	size_t length = word.size < CONFIG_WORD_SIZE - 1 ? word.size : CONFIG_WORD_SIZE - 1;

	if (!notes)
		return;
	if (notes->count == CONFIG_NOTES) {
		notes->dropped++;
		return;
	}
	n = &notes->note[notes->count++];
	n->line = reader->line;
	n->problem = problem;
	n->key = (u8)key;
	n->place = reader->place;
	/* Bytes that are not ASCII are shown as '?': the console may not know them, and the cut may split one. */
	for (size_t i = 0; i < length; i++)
		n->word[i] = word.at[i] >= ' ' && word.at[i] < 0x7f ? word.at[i] : '?';
	n->word[length] = '\0';
}

static bool was_set(const struct reader *reader, u32 key)
{
	return reader->set >> key & 1;
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

static void set(struct reader *reader, struct span name, struct span value)
{
	const struct key *key;
	bool quoted = unquote(&value);
	u32 k;

	static_assert(KEY_COUNT <= 32, "reader.set has a bit for each");
	for (k = 0; k < KEY_COUNT; k++)
		if (span_is(name, config_keys[k].name))
			break;
	key = &config_keys[k];
	if (k == KEY_COUNT) {
		note(reader, CONFIG_UNKNOWN_KEY, 0, name);
	} else if (!(key->places & reader->place)) {
		note(reader, CONFIG_MISPLACED_KEY, k, name);
	} else if (!config_assign(reader->config, key, &value, quoted)) {
		note(reader, key->kind == TEXT || key->kind == PATH ? CONFIG_TOO_LONG : CONFIG_BAD_VALUE, k, value);
	} else {
		if (was_set(reader, k))
			note(reader, CONFIG_REPEATED, k, name);
		reader->set |= 1u << k;
		if (k == KEY_DEFAULT)
			reader->default_line = reader->line;
	}
}

static u32 find_entry(const struct config *config, const char *name)
{
	u32 i = 0;

	while (i < config->entries && !text_equal(config->entry[i].name, name))
		i++;
	return i;
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.size; i++) {
		char c = s.at[i], letter = c | 0x20;

		if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.size && s.size < CONFIG_NAME_SIZE;
}

/* `[name]`: what follows belongs to a new entry, or, if there can be none of that name, to nobody. */
static void read_heading(struct reader *reader, struct span line)
{
	struct config *config = reader->config;
	struct config_entry *entry = &config->entry[config->entries];
	struct span name = span_trim((struct span){ line.at + 1, line.size - (line.size > 1 ? 2 : 1) });
	char text[CONFIG_NAME_SIZE];

	reader->set = 0;
	reader->place = 0;
	if (line.at[line.size - 1] != ']' || !is_name(name)) {
		note(reader, CONFIG_BAD_HEADING, 0, line);
		return;
	}
	for (size_t i = 0; i < name.size; i++)
		text[i] = name.at[i];
	text[name.size] = '\0';
	if (find_entry(config, text) < config->entries) {
		note(reader, CONFIG_REPEATED_ENTRY, 0, line);
	} else if (config->entries == CONFIG_ENTRIES) {
		note(reader, CONFIG_TOO_MANY_ENTRIES, 0, line);
	} else {
		reader->place = IN_ENTRY;
		text_format(entry->name, sizeof(entry->name), "%s", text);
		entry->line = reader->line;
		config->entries++;
	}
}

/* Cuts a comment off: a '#' at the beginning or after a blank, outside quotes. False: a quote stays open. */
static bool cut_comment(struct span *line)
{
	bool in_quotes = false;

	for (size_t i = 0; i < line->size; i++) {
		if (line->at[i] == '"')
			in_quotes = !in_quotes;
		if (line->at[i] == '#' && !in_quotes && (i == 0 || line->at[i - 1] == ' ' || line->at[i - 1] == '\t'))
			line->size = i;
	}
	return !in_quotes;
}

static size_t find_equals(struct span word)
{
	size_t equals = 0;

	while (equals < word.size && word.at[equals] != '=')
		equals++;
	return equals;
}

static void read_setting(struct reader *reader, struct span line, bool quotes_match)
{
	size_t equals = find_equals(line);

	if (equals == line.size)
		note(reader, CONFIG_NO_EQUALS, 0, line);
	else if (!quotes_match)
		note(reader, CONFIG_OPEN_QUOTE, 0, line);
	else
		set(reader, span_trim((struct span){ line.at, equals }),
		    span_trim((struct span){ line.at + equals + 1, line.size - equals - 1 }));
}

/* One line of the file without comment and blanks; false: there is nothing in it. */
static bool take_line(struct reader *reader, struct span *line, bool *quotes_match)
{
	if (line->size && line->at[line->size - 1] == '\r')
		line->size--;
	if (!text_is_plain_utf8(line->at, line->size)) {
		note(reader, CONFIG_NOT_TEXT, 0, *line);
		return false;
	}
	*line = span_trim(*line);
	*quotes_match = cut_comment(line);
	*line = span_trim(*line);
	return line->size != 0;
}

static struct span next_line(struct span *rest)
{
	struct span line = { rest->at, 0 };

	while (line.size < rest->size && line.at[line.size] != '\n')
		line.size++;
	rest->at += line.size, rest->size -= line.size;
	if (rest->size)
		rest->at++, rest->size--;
	return line;
}

/* An image of this source's own does not get the load options that another one has for its image. */
static void settle_options(const struct reader *reader)
{
	if (was_set(reader, KEY_L1) && !was_set(reader, KEY_OPTIONS))
		reader->config->options[0] = '\0';
}

/* The lines of one entry, or those before the first; stops at a heading and leaves it to be read. */
static void read_section(struct reader *reader, struct span *rest)
{
	while (rest->size) {
		struct span before = *rest, line = next_line(rest);
		bool quotes_match;

		reader->line++;
		if (!take_line(reader, &line, &quotes_match))
			continue;
		if (line.at[0] == '[') {
			reader->line--;
			*rest = before;
			break;
		}
		if (reader->place)
			read_setting(reader, line, quotes_match);
	}
	if (reader->place == IN_ENTRY)
		settle_options(reader);
}

/* A heading and the section below it. Its settings go to a copy: they are only judged here. */
static void read_entry(struct reader *reader, struct span *rest, const char *text)
{
	struct config *config = reader->config, copy;
	struct config_entry *entry = &config->entry[config->entries];
	struct span line = next_line(rest);
	bool quotes_match;

	reader->line++;
	if (take_line(reader, &line, &quotes_match))
		read_heading(reader, line);
	copy = *config;
	copy.title[0] = '\0';
	reader->config = &copy;
	if (reader->place) {
		entry->begin = (u32)(rest->at - text);
		read_section(reader, rest);
		entry->end = (u32)(rest->at - text);
		text_format(entry->title, sizeof(entry->title), "%s", copy.title);
	} else {
		read_section(reader, rest);
	}
	reader->config = config;
}

/* The default is named before the entries are. */
static void settle_default(struct reader *reader)
{
	struct config *config = reader->config;
	const char *name = config->default_name;

	config->default_entry = name[0] ? find_entry(config, name) : 0;
	if (!name[0] || config->default_entry < config->entries)
		return;
	reader->line = reader->default_line;
	reader->place = IN_FILE;
	note(reader, CONFIG_NO_SUCH_ENTRY, KEY_DEFAULT, (struct span){ name, text_length(name) });
	config->default_entry = 0;
}

void config_read_file(struct config *config, struct config_notes *notes, const char *text, size_t size)
{
	struct reader reader = { .config = config, .notes = notes, .place = IN_FILE };
	struct span rest = { text, size };

	/* UTF-8's byte-order mark, as some editors write it. */
	if (size >= 3 && (u8)text[0] == 0xef && (u8)text[1] == 0xbb && (u8)text[2] == 0xbf)
		rest.at += 3, rest.size -= 3;
	read_section(&reader, &rest);
	while (rest.size)
		read_entry(&reader, &rest, text);
	settle_default(&reader);
}

void config_use_entry(struct config *config, const char *text, u32 entry)
{
	const struct config_entry *e = &config->entry[entry];
	struct reader reader = { .config = config, .place = IN_ENTRY };
	struct span rest = { text + e->begin, e->end - e->begin };

	read_section(&reader, &rest);
}

int config_choice(const struct config *config, bool nested)
{
	if (config->wanted_name[0])
		return (int)find_entry(config, config->wanted_name);
	if (nested || config->image_named || !config->entries)
		return CONFIG_NO_ENTRY;
	return config->entries > 1 && config->timeout ? CONFIG_ASK : (int)config->default_entry;
}

/* The next word of the load options: blanks separate, except between quotes. */
static struct span next_word(struct span *rest, bool *open_quote)
{
	struct span word = span_trim(*rest);
	size_t length = 0;
	bool in_quotes = false;

	while (length < word.size && (in_quotes || (word.at[length] != ' ' && word.at[length] != '\t'))) {
		if (word.at[length] == '"')
			in_quotes = !in_quotes;
		length++;
	}
	*rest = (struct span){ word.at + length, word.size - length };
	*open_quote = in_quotes;
	return (struct span){ word.at, length };
}

void config_read_load_options(struct config *config, struct config_notes *notes, const char *text, size_t size)
{
	struct reader reader = { .config = config, .notes = notes, .place = IN_OPTIONS };
	struct span rest = { text, size };
	const char *wanted = config->wanted_name;

	if (!text_is_plain_utf8(text, size)) {
		note(&reader, CONFIG_NOT_TEXT, 0, rest);
		return;
	}
	for (bool first = true;; first = false) {
		bool open_quote;
		struct span word = next_word(&rest, &open_quote);

		if (!word.size)
			break;
		if (span_is(word, "check"))
			word = (struct span){ "check=on", 8 };
		/* A shell puts the program's own name first. */
		if (first && !open_quote && find_equals(word) == word.size)
			continue;
		if (open_quote)
			note(&reader, CONFIG_OPEN_QUOTE, 0, word);
		else
			read_setting(&reader, word, true);
	}
	settle_options(&reader);
	config->image_named = was_set(&reader, KEY_L1);
	if (wanted[0] && find_entry(config, wanted) == config->entries) {
		note(&reader, CONFIG_NO_SUCH_ENTRY, KEY_ENTRY, (struct span){ wanted, text_length(wanted) });
		config->wanted_name[0] = '\0';
	}
}

void config_defaults(struct config *config)
{
	*config = (struct config){
		.console = { .base = 0x3f8, .kind = CONFIG_CONSOLE_PORT, .stride = 1, .width = 1 },
		.log = LOG_INFO,
		.cpus = CONFIG_ALL_CPUS,
		.unsupported = CONFIG_UNSUPPORTED_STOP,
		.unlaunched = CONFIG_UNLAUNCHED_STOP,
		.leaves = 1,
		.refusals = 1,
		.shadowing = 1,
		.monitor = 1,
		.hotkey = CONFIG_HOTKEY,
		.timeout = 5,
	};
}
