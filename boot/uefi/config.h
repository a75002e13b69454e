/* SPDX-License-Identifier: MIT */
/*
 * Testudo's configuration: \EFI\testudo\testudo.cfg (one `key = value` a
 * line, entries headed by `[name]`) and the loader's own load options
 * (`key=value` words, which win). docs/configuration.md describes both. Pure:
 * text in, struct and notes out. A bad setting becomes a note and the setting
 * before it stays in force.
 */
#pragma once

#include "arch/types.h"

#define CONFIG_FILE_LIMIT 65536		/* what is read of the file */
#define CONFIG_PATH_SIZE 512
#define CONFIG_OPTIONS_SIZE 4096
#define CONFIG_NAME_SIZE 32
#define CONFIG_TITLE_SIZE 64
#define CONFIG_WORD_SIZE 48
#define CONFIG_LINE_SIZE 600		/* the longest note in words fits */
#define CONFIG_ENTRIES 16
/* More where there is room for them: tools/config.c. */
#ifndef CONFIG_NOTES
#define CONFIG_NOTES 24
#endif
#define CONFIG_ALL_CPUS 0
#define CONFIG_MAX_CPUS 256
#define CONFIG_TIMEOUT_NEVER UINT32_MAX
#define CONFIG_MAX_TIMEOUT 3600
#define CONFIG_HOTKEY 0x1d		/* Ctrl-] */
/* KB: what `trace = on` means, and the bounds of a number. */
#define CONFIG_TRACE_ON 64
#define CONFIG_MIN_TRACE 8
#define CONFIG_MAX_TRACE 16384

#define CONFIG_BAUD_KEEP 0
#define CONFIG_MIN_BAUD 50

/* What `console` names. */
enum config_console_kind { CONFIG_CONSOLE_NONE, CONFIG_CONSOLE_AUTO, CONFIG_CONSOLE_PORT, CONFIG_CONSOLE_MEMORY, CONFIG_CONSOLE_PCI };

struct config_console {
	u64 base;	/* port, address, or segment << 16 | bus << 8 | device << 3 | function */
	u8 kind;	/* enum config_console_kind */
	u8 stride, width;
	u8 bar;
};

/* In the order of the words in config_keys.c. */
enum config_unsupported { CONFIG_UNSUPPORTED_STOP, CONFIG_UNSUPPORTED_BOOT };
enum config_check { CONFIG_CHECK_OFF, CONFIG_CHECK_ON, CONFIG_CHECK_SAVE };
enum config_unlaunched { CONFIG_UNLAUNCHED_STOP, CONFIG_UNLAUNCHED_LEAVE };

/* Where an entry's lines are in the file, and how it is shown. */
struct config_entry {
	char name[CONFIG_NAME_SIZE];
	char title[CONFIG_TITLE_SIZE];		/* "": its name serves */
	u32 line;				/* of its heading */
	u32 begin, end;				/* bytes of the file behind the heading */
};

struct config {
	char l1[CONFIG_PATH_SIZE];		/* UTF-8, begins with a backslash; "" = nothing to start */
	char options[CONFIG_OPTIONS_SIZE];	/* UTF-8 */
	struct config_console console;
	u32 baud;				/* or CONFIG_BAUD_KEEP */
	u32 timestamps;				/* 1: lines begin with their time */
	u32 colours;				/* 1: lines are coloured on the serial port */
	u32 log;				/* enum log_level of boot/handoff.h */
	u32 cpus;				/* CONFIG_ALL_CPUS or how many */
	u32 unsupported;			/* enum config_unsupported */
	u32 unlaunched;				/* enum config_unlaunched */
	u32 leaves;				/* 1: CPUID 0x40000000... answers */
	u32 refusals;				/* 1: refused VM entries are told on the console */
	u32 trace;				/* KB of each processor's trace ring; 0: none */
	u32 monitor;				/* 1: a key on the console opens the monitor */
	u32 hotkey;				/* which: the byte that it sends */
	u32 shadowing;				/* 1: VMCS shadowing is used where the processor has it */
	u32 check;				/* enum config_check */
	u64 hide;				/* bit n: row n of boot/hide.def is hidden from L1 */

	u32 timeout;				/* seconds, or CONFIG_TIMEOUT_NEVER */
	char default_name[CONFIG_NAME_SIZE];
	char wanted_name[CONFIG_NAME_SIZE];	/* of load options' `entry`; "" when there is no such entry */
	char title[CONFIG_TITLE_SIZE];		/* of the entry that was read last */
	bool image_named;			/* the load options have an `l1` */
	u32 default_entry;			/* of entry[] */
	u32 entries;
	struct config_entry entry[CONFIG_ENTRIES];
};

enum config_problem {
	CONFIG_NOT_TEXT,	/* not UTF-8, or control characters */
	CONFIG_NO_EQUALS,
	CONFIG_OPEN_QUOTE,
	CONFIG_UNKNOWN_KEY,
	CONFIG_MISPLACED_KEY,
	CONFIG_BAD_VALUE,
	CONFIG_TOO_LONG,
	CONFIG_REPEATED,	/* the later line counts */
	CONFIG_BAD_HEADING,
	CONFIG_REPEATED_ENTRY,
	CONFIG_TOO_MANY_ENTRIES,
	CONFIG_NO_SUCH_ENTRY
};

struct config_note {
	u32 line;			/* of the file; 0: the load options */
	enum config_problem problem;
	u8 key;				/* row of the key table, where one was recognized */
	u8 place;			/* where it stands: enum place of config_keys.h */
	char word[CONFIG_WORD_SIZE];	/* the offending key or value, perhaps cut */
};

struct config_notes {
	u32 count;
	u32 dropped;			/* notes for which there was no room */
	struct config_note note[CONFIG_NOTES];
};

void config_defaults(struct config *config);

/* Settings before the first heading are in force afterwards; those of entries are only judged and remembered by their place. */
void config_read_file(struct config *config, struct config_notes *notes, const char *text, size_t size);

/*
 * An `l1` here without `options` clears the options: those were for another
 * image. To be read once more after config_use_entry, as these settings win;
 * `notes` may be NULL then.
 */
void config_read_load_options(struct config *config, struct config_notes *notes, const char *text, size_t size);

/* Which entry is to be used: its number, or one of these. */
#define CONFIG_ASK (-1)			/* the menu's business */
#define CONFIG_NO_ENTRY (-2)
/* `nested`: the file has already been followed once, and only the load options may name what to start. */
int config_choice(const struct config *config, bool nested);

/* Brings an entry's settings into force; `text` is the file that was read. */
void config_use_entry(struct config *config, const char *text, u32 entry);

/* One line for people, without a line end. */
void config_describe(const struct config *config, const struct config_note *note, char *out, size_t size);
