/* SPDX-License-Identifier: MIT */
/* The words of a line that somebody typed, and what they may mean. Letters count the same in both cases. Pure. */
#pragma once

#include "arch/types.h"

/* Cuts the line at its blanks; returns how many words there are. Those after the first `most` are only counted. */
u32 words_split(char *line, char *words[], u32 most);

bool words_equal(const char *a, const char *b);
bool words_begins(const char *whole, const char *beginning);
bool words_contain(const char *whole, const char *part);

/* Hexadecimal, with or without 0x; 64 bits at most. */
bool words_hex(const char *word, u64 *value);
/* Decimal, or hexadecimal with 0x. */
bool words_number(const char *word, u64 *value);
