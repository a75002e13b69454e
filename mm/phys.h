/* SPDX-License-Identifier: MIT */
/*
 * The seam between physical addresses and pointers. The root kernel maps its
 * own block at VA = PA and all other memory at DIRECT_MAP_BASE (phys.c); host
 * tests put an arena in its place (tests/fake/phys.c).
 */
#pragma once

#include "mm/addr.h"

/* First byte of the direct map of physical memory, as a virtual address. */
#define DIRECT_MAP_BASE UINT64_C(0xffff800000000000)

/* Once, by the first CPU. Before host_paging is active only the block can be reached. */
void phys_init(hpa_t block_base, u64 block_size, u64 direct_map_size);

/*
 * A pointer to the byte at `address`, good up to the end of its page, or NULL
 * when it lies beyond the direct map.
 */
void *phys_to_ptr(hpa_t address);

/* The inverse for pages of L0's own block. */
hpa_t phys_of(const void *pointer);
