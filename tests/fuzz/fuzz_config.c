/* SPDX-License-Identifier: MIT */
/*
 * The configuration parsers on any bytes: no fault, every result terminated
 * and in range, every note describable, every entry usable. The first byte
 * chooses: the load options, the file, or the file and its last line as load
 * options.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "boot/handoff.h"
#include "boot/uefi/config.h"
#include "boot/uefi/config_console.h"
#include "boot/uefi/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
#define H(word, control_word, controls, capabilities) +1
	HIDE_ROWS = 0
#include "boot/hide.def"
#undef H
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What is written is read as the same place. */
static void check_console(const struct config_console *console)
{
	struct config_console again = { 0 };
	char text[CONFIG_CONSOLE_TEXT];

	require(console->kind <= CONFIG_CONSOLE_PCI && console->bar <= 5);
	config_console_text(console, text, sizeof(text));
	require(config_console_parse((struct span){ text, strlen(text) }, &again));
	require(again.base == console->base && again.kind == console->kind && again.stride == console->stride);
	require(again.width == console->width && again.bar == console->bar);
}

static void check(const struct config *config, const struct config_notes *notes)
{
	char text[CONFIG_LINE_SIZE];

	require(memchr(config->l1, 0, sizeof(config->l1)) != NULL);
	require(memchr(config->options, 0, sizeof(config->options)) != NULL);
	require(!config->l1[0] || config->l1[0] == '\\');
	require(!strchr(config->l1, '/'));
	require(text_is_plain_utf8(config->options, strlen(config->options)));
	require(config->log <= LOG_TRACE && config->cpus <= CONFIG_MAX_CPUS);
	check_console(&config->console);
	require(!config->baud || 115200 % config->baud == 0);
	require(config->timestamps <= 1 && config->colours <= 1);
	require(config->unsupported <= CONFIG_UNSUPPORTED_BOOT && config->leaves <= 1 && config->shadowing <= 1);
	require(config->unlaunched <= CONFIG_UNLAUNCHED_LEAVE && config->refusals <= 1 && config->hide >> HIDE_ROWS == 0);
	require(!config->trace || (config->trace >= CONFIG_MIN_TRACE && config->trace <= CONFIG_MAX_TRACE));
	require(config->timeout <= CONFIG_MAX_TIMEOUT || config->timeout == CONFIG_TIMEOUT_NEVER);
	require(notes->count <= CONFIG_NOTES);
	for (u32 i = 0; i < notes->count; i++) {
		config_describe(config, &notes->note[i], text, sizeof(text));
		require(text_is_plain_utf8(text, strlen(text)));
	}
}

/* Each entry has a place in the text and can be used; using it gives what reading it has judged. */
static void check_entries(const struct config *config, const char *text, size_t size)
{
	static struct config used;
	struct config_notes none = { 0 };
	int choice = config_choice(config, false);

	require(config->entries <= CONFIG_ENTRIES && (config->default_entry < config->entries || !config->default_entry));
	require(choice == CONFIG_ASK || choice == CONFIG_NO_ENTRY || (choice >= 0 && (u32)choice < config->entries));
	require(choice != CONFIG_ASK || config->entries > 1);
	for (u32 i = 0; i < config->entries; i++) {
		const struct config_entry *e = &config->entry[i];

		require(e->name[0] && e->begin <= e->end && e->end <= size && (!i || config->entry[i - 1].end < e->begin));
		require(strlen(e->name) < sizeof(e->name) && strlen(e->title) < sizeof(e->title));
		for (u32 j = 0; j < i; j++)
			require(strcmp(config->entry[j].name, e->name) != 0);
		used = *config;
		used.title[0] = '\0';
		config_use_entry(&used, text, i);
		require(strcmp(used.title, e->title) == 0 && used.console.base == config->console.base && used.timeout == config->timeout);
		check(&used, &none);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *last = NULL;
	static struct config config;
	struct config_notes notes = { 0 };
	char *text;

	if (!size)
		return 0;
	/* A copy of the exact size, so that a byte too far is seen. */
	text = malloc(size - 1 ? size - 1 : 1);
	require(text != NULL);
	memcpy(text, data + 1, size - 1);
	config_defaults(&config);
	size--;
	if (data[0] & 1) {
		config_read_load_options(&config, &notes, text, size);
	} else {
		config_read_file(&config, &notes, text, size);
		last = data[0] & 2 ? memrchr(text, '\n', size) : NULL;
	}
	if (last)
		config_read_load_options(&config, &notes, last + 1, (size_t)(text + size - last - 1));
	check(&config, &notes);
	check_entries(&config, text, data[0] & 1 ? 0 : size);
	free(text);
	return 0;
}
