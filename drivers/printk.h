/* SPDX-License-Identifier: MIT */
/*
 * Our own formatter. Knows %s %c %d %i %u %x %X %p %%, the lengths l, ll and
 * z, a width, and the flags 0, - and #. No floating point. Pure.
 */
#pragma once

#include <stdarg.h>

#include "arch/compiler.h"
#include "arch/types.h"

/*
 * Writes at most size - 1 characters and a final NUL (nothing when size is 0).
 * Returns the length that the whole text would have, like snprintf.
 */
size_t format_text_va(char *out, size_t size, const char *format, va_list arguments);
size_t format_text(char *out, size_t size, const char *format, ...) printf_like(3, 4);
