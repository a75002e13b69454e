/* SPDX-License-Identifier: MIT */
/*
 * The memory functions that the compiler may call by itself, and a few for us.
 */
#pragma once

#include "arch/types.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
