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

/*
 * A pointer through which `size` bytes at `address` can be accessed, or NULL
 * when they lie (even in part) beyond the direct map or, outside L0's own
 * block, across its edge. `size` is at most a page and must not cross one.
 */
void *phys_to_ptr(hpa_t address);

/* The inverse for pages of L0's own block. */
hpa_t phys_of(const void *pointer);
