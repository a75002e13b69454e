/* SPDX-License-Identifier: MIT */
/*
 * Text for the loader: a bounded formatter, and UTF-8 to the firmware's
 * UCS-2. Pure; knows no console.
 */
#pragma once

#include <stdarg.h>

#include "arch/compiler.h"
#include "arch/types.h"

/*
 * %s %c %u %x with the modifier l and a width with or without leading zeros.
 * Always ends `out` with a NUL; returns the length written, without it.
 */
size_t text_format(char *out, size_t size, const char *format, ...) printf_like(3, 4);
size_t text_vformat(char *out, size_t size, const char *format, va_list arguments) printf_like(3, 0);

bool text_equal(const char *a, const char *b);
size_t text_length(const char *text);

/* Is this UTF-8 without control characters other than tab? */
bool text_is_plain_utf8(const char *text, size_t size);

/*
 * UTF-8 to UCS-2, NUL-terminated; what UCS-2 cannot express becomes '?'.
 * Returns the number of units without the NUL; `capacity` counts it.
 */
size_t text_to_ucs2(u16 *out, size_t capacity, const char *text);

/* The reverse, for `count` units; returns bytes without the NUL, 0 if it is not text. */
size_t text_from_ucs2(char *out, size_t size, const u16 *text, size_t count);
