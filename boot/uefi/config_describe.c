/* SPDX-License-Identifier: MIT */
/*
 * The notes of config.c in words: where, what, and what would be right.
 */
#include "arch/compiler.h"
#include "boot/uefi/config_keys.h"
#include "boot/uefi/text.h"

#define IGNORED "; ignored"
#define SECTION_IGNORED "; the settings below it are ignored"

/* Adds to the list in out[]. */
static void add_word(char *out, size_t size, const char *word)
{
	size_t length = text_length(out);

	text_format(out + length, size - length, "%s%s", length ? ", " : "", word);
}

/* The keys of this place, or the names of all entries. */
static void list_keys(char *out, size_t size, u32 place)
{
	for (u32 i = 0; i < KEY_COUNT; i++)
		if (config_keys[i].places & place)
			add_word(out, size, config_keys[i].name);
}

static void list_entries(char *out, size_t size, const struct config *config)
{
	for (u32 i = 0; i < config->entries; i++)
		add_word(out, size, config->entry[i].name);
}

static const char *right_place(u32 places)
{
	return places & IN_ENTRY ? "behind an [entry]" : places & IN_FILE ? "before the first [entry]" : "in the load options";
}

static void describe_setting(const struct config_note *n, char *out, size_t size)
{
	const struct key *key = &config_keys[n->key < KEY_COUNT ? n->key : 0];
	char list[200] = "";

	if (n->problem == CONFIG_UNKNOWN_KEY) {
		list_keys(list, sizeof(list), n->place);
		text_format(out, size, "there is no key \"%s\" here; there are %s" IGNORED, n->word, list);
	} else if (n->problem == CONFIG_MISPLACED_KEY) {
		text_format(out, size, "%s has no effect here: it stands %s" IGNORED, key->name, right_place(key->places));
	} else if (n->problem == CONFIG_BAD_VALUE) {
		text_format(out, size, "%s cannot be \"%s\"; allowed: %s" IGNORED, key->name, n->word, key->allowed);
	} else if (n->problem == CONFIG_TOO_LONG) {
		text_format(out, size, "the value of %s is too long; allowed: %s" IGNORED, key->name, key->allowed);
	} else {
		text_format(out, size, "%s is set once more; this setting counts", key->name);
	}
}

static void describe_heading(const struct config *config, const struct config_note *n, char *out, size_t size)
{
	char list[200] = "";

	if (n->problem == CONFIG_BAD_HEADING) {
		text_format(out, size, "\"%s\" heads no entry: write [name], of 1 to 31 letters, digits, \"-\", \"_\" and \".\""
			    SECTION_IGNORED, n->word);
	} else if (n->problem == CONFIG_REPEATED_ENTRY) {
		text_format(out, size, "there is an entry %s already" SECTION_IGNORED, n->word);
	} else if (n->problem == CONFIG_TOO_MANY_ENTRIES) {
		text_format(out, size, "%s is one entry more than the %u that are possible" SECTION_IGNORED, n->word, CONFIG_ENTRIES);
	} else {
		list_entries(list, sizeof(list), config);
		text_format(out, size, "there is no entry \"%s\"; there %s%s" IGNORED, n->word, list[0] ? "are " : "is none", list);
	}
}

void config_describe(const struct config *config, const struct config_note *n, char *out, size_t size)
{
	size_t length;

	if (n->line)
		length = text_format(out, size, "testudo.cfg line %u: ", n->line);
	else
		length = text_format(out, size, "load options: ");
	out += length, size -= length;
	switch (n->problem) {
	case CONFIG_NOT_TEXT:
		text_format(out, size, "this is not UTF-8 text" IGNORED);
		break;
	case CONFIG_NO_EQUALS:
		text_format(out, size, "\"%s\" has no \"=\": settings are written key = value" IGNORED, n->word);
		break;
	case CONFIG_OPEN_QUOTE:
		text_format(out, size, "a quotation mark is not closed in \"%s\"" IGNORED, n->word);
		break;
	case CONFIG_UNKNOWN_KEY:
	case CONFIG_MISPLACED_KEY:
	case CONFIG_BAD_VALUE:
	case CONFIG_TOO_LONG:
	case CONFIG_REPEATED:
		describe_setting(n, out, size);
		break;
	case CONFIG_BAD_HEADING:
	case CONFIG_REPEATED_ENTRY:
	case CONFIG_TOO_MANY_ENTRIES:
	case CONFIG_NO_SUCH_ENTRY:
		describe_heading(config, n, out, size);
		break;
	}
}
