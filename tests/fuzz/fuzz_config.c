/* SPDX-License-Identifier: MIT */
/*
 * The configuration parsers on any bytes: no fault, every result terminated
 * and in range, every note describable. The first byte chooses the parser.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/handoff.h"
#include "boot/uefi/config.h"
#include "boot/uefi/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct config *config, const struct config_notes *notes)
{
	char text[400];

	require(memchr(config->l1, 0, sizeof(config->l1)) != NULL);
	require(memchr(config->options, 0, sizeof(config->options)) != NULL);
	require(!config->l1[0] || config->l1[0] == '\\');
	require(!strchr(config->l1, '/'));
	require(text_is_plain_utf8(config->options, strlen(config->options)));
	require(config->console <= CONFIG_CONSOLE_COM4 && config->log <= LOG_TRACE && config->cpus <= CONFIG_MAX_CPUS);
	require(config->unsupported <= CONFIG_UNSUPPORTED_BOOT && config->leaves <= 1 && config->shadowing <= 1);
	require(notes->count <= CONFIG_NOTES);
	for (u32 i = 0; i < notes->count; i++) {
		config_describe(&notes->note[i], text, sizeof(text));
		require(text_is_plain_utf8(text, strlen(text)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
	if (data[0] & 1)
		config_read_load_options(&config, &notes, text, size - 1);
	else
		config_read_file(&config, &notes, text, size - 1);
	check(&config, &notes);
	free(text);
	return 0;
}
