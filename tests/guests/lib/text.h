/* SPDX-License-Identifier: MIT */
/*
 * Text into a bounded buffer. Conversions: %s %c %d %u %lu %x %lx (with 0x)
 * and %o, which prints the outcome of a VMX instruction in words.
 */
#pragma once

#include "tests/guests/lib/types.h"

struct text {
	u32 length;
	char data[1500];
};

void text_clear(struct text *t);
void text_append(struct text *t, const char *format, va_list args);
