/* SPDX-License-Identifier: MIT */
/*
 * Pages from one block that the firmware gave at the start. Each scenario
 * begins with the same free memory: the runner marks and releases.
 */
#pragma once

#include "tests/guests/lib/types.h"

void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
bool strings_equal(const char *a, const char *b);

void pages_init(u64 start, u64 count);
void *page_alloc(void);
void *pages_alloc(u64 count, u64 alignment);
u64 pages_mark(void);
void pages_release(u64 mark);
