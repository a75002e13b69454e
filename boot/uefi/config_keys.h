/* SPDX-License-Identifier: MIT */
/*
 * The keys of the configuration and what they may be set to: for config.c,
 * which reads lines, and config_describe.c, which explains them. Pure.
 */
#pragma once

#include "boot/uefi/config.h"

/* A stretch of the input. */
struct span {
	const char *at;
	size_t size;
};

/* Where a key may stand. */
enum place { IN_FILE = 1, IN_ENTRY = 2, IN_OPTIONS = 4, ANYWHERE = IN_FILE | IN_ENTRY | IN_OPTIONS };

/* What a key takes: text of bounded length, one of the listed words, some of them, a control key, a number, or a place. */
enum kind { TEXT, PATH, CHOICE, CHOICES, CONTROL, CPUS, SECONDS, KILOBYTES, BAUD, CONSOLE };

struct key {
	char name[12];
	const char *allowed;	/* for people; of CHOICE and CHOICES the words themselves, the first one being 0 */
	u8 kind, places;
	u16 offset;		/* in struct config */
	u16 size;		/* of TEXT and PATH */
};

/* config.c knows these by name. */
enum { KEY_L1, KEY_OPTIONS, KEY_DEFAULT, KEY_ENTRY, KEY_COUNT = 22 };
extern const struct key config_keys[KEY_COUNT];

bool span_is(struct span s, const char *word);
struct span span_trim(struct span s);

/*
 * Sets a key, or leaves all as it was and returns false; `value` is then what
 * is wrong of it. `quoted`: a doubled quote is one.
 */
bool config_assign(struct config *config, const struct key *key, struct span *value, bool quoted);
