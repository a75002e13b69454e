/* SPDX-License-Identifier: MIT */
/* Page tables and extended page tables, built by hand. */
#pragma once

#include "tests/guests/lib/types.h"

/* Where the identity tables end; physical memory lies below the middle. */
#define IDENTITY_LIMIT (8ull << 30)

/* 4-level tables that map linear = physical up to IDENTITY_LIMIT in 2 MB pages. */
u64 paging_identity(u64 flags);

/* The entry that maps address at a level (1: 4 KB), tables made and split as needed. */
u64 *paging_entry(u64 root, u64 address, u32 level, u64 table_flags);

/* EPT: identity for the first 4 GB, nothing above. */
u64 ept_identity(void);
u64 *ept_entry(u64 root, u64 address, u32 level);
