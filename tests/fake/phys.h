/* SPDX-License-Identifier: MIT */
/*
 * What stands behind phys_to_ptr() and page_alloc() in host tests: an arena
 * that is all the memory there is. Its last quarter is "L0's block", which the
 * page allocator hands out.
 */
#pragma once

#include "mm/addr.h"

#define FAKE_MEMORY_SIZE (UINT64_C(64) << 20)
#define FAKE_BLOCK_BASE (UINT64_C(48) << 20)
#define FAKE_BLOCK_SIZE (FAKE_MEMORY_SIZE - FAKE_BLOCK_BASE)

/* All memory zero, no page handed out. */
void fake_memory_reset(void);

/* The allocator has `pages` pages from now on. */
void fake_memory_limit(u64 pages);
