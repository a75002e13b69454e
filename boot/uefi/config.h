/* SPDX-License-Identifier: MIT */
/*
 * Testudo's configuration: \EFI\testudo\testudo.cfg (one `key = value` a
 * line) and the loader's own load options (`key=value` words, which win).
 * docs/configuration.md describes both. Pure: text in, struct and notes out.
 * A bad setting becomes a note and the setting before it stays in force.
 */
#pragma once

#include "arch/types.h"

#define CONFIG_PATH_SIZE 512
#define CONFIG_OPTIONS_SIZE 4096
#define CONFIG_WORD_SIZE 48
#define CONFIG_NOTES 24
#define CONFIG_ALL_CPUS 0
#define CONFIG_MAX_CPUS 256

enum config_console {
	CONFIG_CONSOLE_NONE,
	CONFIG_CONSOLE_COM1,
	CONFIG_CONSOLE_COM2,
	CONFIG_CONSOLE_COM3,
	CONFIG_CONSOLE_COM4
};

enum config_unsupported { CONFIG_UNSUPPORTED_STOP, CONFIG_UNSUPPORTED_BOOT };
enum config_unlaunched { CONFIG_UNLAUNCHED_STOP, CONFIG_UNLAUNCHED_LEAVE };

struct config {
	char l1[CONFIG_PATH_SIZE];		/* UTF-8, begins with a backslash; "" = nothing to start */
	char options[CONFIG_OPTIONS_SIZE];	/* UTF-8 */
	u32 console;				/* enum config_console */
	u32 log;				/* enum log_level of boot/handoff.h */
	u32 cpus;				/* CONFIG_ALL_CPUS or how many */
	u32 unsupported;			/* enum config_unsupported */
	u32 unlaunched;				/* enum config_unlaunched */
	u32 leaves;				/* 1: CPUID 0x40000000... answers */
	u32 refusals;				/* 1: refused VM entries are told on the console */
	u32 shadowing;				/* 1: VMCS shadowing is used where the processor has it */
};

enum config_problem {
	CONFIG_NOT_TEXT,	/* not UTF-8, or control characters */
	CONFIG_NO_EQUALS,
	CONFIG_OPEN_QUOTE,
	CONFIG_UNKNOWN_KEY,
	CONFIG_BAD_VALUE,
	CONFIG_TOO_LONG,
	CONFIG_REPEATED		/* the later line counts */
};

struct config_note {
	u32 line;			/* of the file; 0: the load options */
	enum config_problem problem;
	u32 key;			/* row of the key table, where one was recognized */
	char word[CONFIG_WORD_SIZE];	/* the offending key or value, perhaps cut */
};

struct config_notes {
	u32 count;
	u32 dropped;			/* notes for which there was no room */
	struct config_note note[CONFIG_NOTES];
};

void config_defaults(struct config *config);
void config_read_file(struct config *config, struct config_notes *notes, const char *text, size_t size);

/* An `l1` here without `options` clears the options: those were for another image. */
void config_read_load_options(struct config *config, struct config_notes *notes, const char *text, size_t size);

/* One line for people, without a line end. */
void config_describe(const struct config_note *note, char *out, size_t size);
