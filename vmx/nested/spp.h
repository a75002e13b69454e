/* SPDX-License-Identifier: MIT */
/*
 * Sub-page-permission tables: L1's (SPPT12), which are only read, entry by entry, and those that hardware walks
 * (SPPT02), which have just the pages that ept02.c put there and no address of L1's. SDM "Sub-Page Write
 * Permissions". Pure: over the phys seam.
 */
#pragma once

#include "mm/ept.h"
#include "mm/l1_memory.h"

/* Tables below the root for one page. */
#define SPP_TABLES_PER_PAGE 3

enum spp_outcome { SPP_FOUND, SPP_MISS, SPP_MISCONFIGURED };

struct spp12_walk {
	enum spp_outcome outcome;
	u64 vector;		/* where found: bit 2n allows writes to the nth 128 bytes of the page */
};

/* What L1's tables at `spptp12` (bits 11:0 do not count) say of the page of `address`. */
struct spp12_walk spp12_walk(const struct l1_memory *memory, u64 spptp12, l2_gpa_t address);

/* Does the vector allow writes at this address? */
static inline bool spp_allows(u64 vector, l2_gpa_t address)
{
	return (vector >> (address.value % PAGE_SIZE / 128 * 2) & 1) != 0;
}

/* The vector of this page in L0's tables, or NULL: without a page for a table, or, with no source, without a table. */
u64 *spp02_vector(u64 *root, l2_gpa_t address, ept_page_source *take_page, void *context);
