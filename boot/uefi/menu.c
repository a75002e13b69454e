/* SPDX-License-Identifier: MIT */
/*
 * The menu of entries: plain lines, so that any terminal shows them, on the
 * serial port and the firmware's screens. Keys come from the firmware's
 * console, and from the serial port where the firmware does not read it.
 * A machine without a keyboard starts the default.
 */
#include "boot/uefi/menu.h"

#include "boot/uefi/output.h"
#include "boot/uefi/own_volume.h"

#define POLL 50000		/* microseconds */
#define POLLS_PER_SECOND 20
#define MOST_BYTES 64		/* that are read at once: a broken port may always have one more */
#define ESCAPE 0x1b

/* What a key says: KEY_FIRST + n is the digit n + 1. */
enum { NO_KEY, KEY_UP, KEY_DOWN, KEY_ENTER, OTHER_KEY, KEY_FIRST };
enum { SCAN_CODE_UP = 1, SCAN_CODE_DOWN = 2 };

/* Noise on a line, also on one that the firmware reads, is no key. */
static int meaning_of(u32 c)
{
	if (c == '\r' || c == '\n')
		return KEY_ENTER;
	if ((c < ' ' && c != '\t' && c != '\b') || (c >= 0x7f && c < 0xa0))
		return NO_KEY;
	return c >= '1' && c <= '9' ? KEY_FIRST + (int)c - '1' : OTHER_KEY;
}

static int key_of_firmware(const struct loader *loader)
{
	SIMPLE_INPUT_INTERFACE *keyboard = loader->system->ConIn;
	EFI_INPUT_KEY key;

	if (!keyboard || EFI_ERROR(keyboard->ReadKeyStroke(keyboard, &key)))
		return NO_KEY;
	if (key.ScanCode == SCAN_CODE_UP || key.ScanCode == SCAN_CODE_DOWN)
		return key.ScanCode == SCAN_CODE_UP ? KEY_UP : KEY_DOWN;
	return key.ScanCode ? OTHER_KEY : meaning_of(key.UnicodeChar);
}

/* Arrows are ESC [ A and ESC O A, and B. */
static int key_of_port(void)
{
	static u32 escape;
	char c;

	for (u32 i = 0; i < MOST_BYTES && output_receive(&c); i++) {
		u32 before = escape;

		escape = c == ESCAPE ? 1 : before == 1 && (c == '[' || c == 'O') ? 2 : 0;
		if (before == 2 && (c == 'A' || c == 'B'))
			return c == 'A' ? KEY_UP : KEY_DOWN;
		if (!escape && c > 0 && meaning_of((u8)c) != NO_KEY)
			return meaning_of((u8)c);
	}
	return NO_KEY;
}

static int read_key(const struct loader *loader)
{
	int key = key_of_firmware(loader);

	return key == NO_KEY ? key_of_port() : key;
}

static const char *title_of(const struct config_entry *entry)
{
	return entry->title[0] ? entry->title : entry->name;
}

static void show_menu(const struct config *config)
{
	tell("what is to be started:");
	for (u32 i = 0; i < config->entries; i++)
		tell("%s %2u  %s", i == config->default_entry ? "->" : "  ", i + 1, title_of(&config->entry[i]));
	tell("choose by digit, or by the arrow keys and Enter");
}

/* One dot a second until a key comes, which it returns, or time is up. */
static int count_down(const struct loader *loader)
{
	u32 timeout = loader->config.timeout;
	int key = NO_KEY;

	if (timeout != CONFIG_TIMEOUT_NEVER)
		tell("%s is started in %u s; any key stops that",
			 title_of(&loader->config.entry[loader->config.default_entry]), timeout);
	for (u32 polls = 0; key == NO_KEY; polls++) {
		if (timeout != CONFIG_TIMEOUT_NEVER && polls == timeout * POLLS_PER_SECOND)
			break;
		if (timeout != CONFIG_TIMEOUT_NEVER && polls && polls % POLLS_PER_SECOND == 0)
			output_text(".");
		loader->boot->Stall(POLL);
		key = read_key(loader);
	}
	if (timeout != CONFIG_TIMEOUT_NEVER)
		output_text("\r\n");
	return key;
}

static u32 ask(const struct loader *loader)
{
	const struct config *config = &loader->config;
	u32 chosen = config->default_entry;
	int key;

	/* Its patience is five minutes. */
	loader->boot->SetWatchdogTimer(0, 0, 0, NULL);
	/* What was typed before the menu was meant for something else. */
	for (u32 i = 0; i < MOST_BYTES && read_key(loader) != NO_KEY; i++)
		;
	show_menu(config);
	key = count_down(loader);
	if (key == NO_KEY)
		return chosen;
	for (; key != KEY_ENTER; key = read_key(loader)) {
		if (key >= KEY_FIRST && (u32)(key - KEY_FIRST) < config->entries)
			return (u32)(key - KEY_FIRST);
		if (key == KEY_UP || key == KEY_DOWN) {
			chosen = (chosen + (key == KEY_UP ? config->entries - 1 : 1)) % config->entries;
			tell("-> %2u  %s", chosen + 1, title_of(&config->entry[chosen]));
		}
		loader->boot->Stall(POLL);
	}
	return chosen;
}

EFI_STATUS choose_entry(struct loader *loader)
{
	struct config *config = &loader->config;
	int entry = config_choice(config, loader->started_before);

	if (entry == CONFIG_ASK)
		entry = (int)ask(loader);
	if (entry != CONFIG_NO_ENTRY) {
		if (entry_is_running(loader, (u32)entry)) {
			complain("entry %s is what this Testudo was started by: it would start itself without end",
				 config->entry[entry].name);
			return EFI_ALREADY_STARTED;
		}
		use_entry(loader, (u32)entry);
		say("entry %s", config->entry[entry].name);
	}
	if (loader->config_text)
		loader->boot->FreePool(loader->config_text);
	loader->config_text = NULL;
	if (loader->started_before && !config->l1[0]) {
		say("Testudo was already started, so only an l1=... or an entry=... in the load options counts, and there is none");
		return EFI_NOT_FOUND;
	}
	return EFI_SUCCESS;
}
