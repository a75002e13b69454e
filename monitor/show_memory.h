/* SPDX-License-Identifier: MIT */
/* Bytes of memory in lines. Pure. */
#pragma once

#include "monitor/out.h"

#define SHOW_MEMORY_LINE 16	/* bytes */

/* Fills `bytes` with the `count` that are at `address`. */
typedef void show_memory_read(const void *context, u64 address, u8 *bytes, u32 count);

/* False: print no more. */
bool show_memory(struct monitor_out *out, show_memory_read *read, const void *context, u64 address, u64 count);
