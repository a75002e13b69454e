/* SPDX-License-Identifier: MIT */
/*
 * L1's physical memory as L0 sees it: the one total function from l1_gpa to
 * hpa (identity, except L0's hidden block -> the scratch page), and bounded
 * copies. Every address that L1 hands to hardware goes through here; this file
 * is the whole memory-safety argument. Pure: over the phys seam.
 */
#pragma once

#include "mm/addr.h"

struct l1_memory {
	hpa_t hidden_base;		/* L0's block, page aligned */
	u64 hidden_size;		/* bytes */
	hpa_t scratch;			/* the page shown in its place */
	u8 physical_address_bits;	/* CPUID.80000008H:EAX[7:0] */
};

/* Total: every l1_gpa has an hpa. */
hpa_t l1_to_hpa(const struct l1_memory *memory, l1_gpa_t address);

/* Is [address, address + size) mapped by identity, i.e. free of hidden pages? */
bool l1_is_identity(const struct l1_memory *memory, l1_gpa_t address, u64 size);

/* Is `address` within the physical-address width? */
bool l1_is_legal(const struct l1_memory *memory, u64 address);

/*
 * Copy bytes between L1's memory and L0. Pages may be crossed. Bytes of
 * physical addresses that L0 cannot reach read as ones; writes there are lost,
 * as on a bus without a device.
 */
void l1_read(const struct l1_memory *memory, l1_gpa_t from, void *to, u64 size);
void l1_write(const struct l1_memory *memory, l1_gpa_t to, const void *from, u64 size);

/*
 * A look at L1's memory where it is, up to the end of the page; NULL where L0 cannot reach it. It may
 * change under the eyes of whoever looks: each word is read once, or only compared.
 */
const void *l1_look(const struct l1_memory *memory, l1_gpa_t from);
/* The same for writing. */
u8 *l1_reach(const struct l1_memory *memory, l1_gpa_t to);

/* One aligned 64-bit access, never torn (page-table and EPT entries). */
u64 l1_read64(const struct l1_memory *memory, l1_gpa_t from);
/* Sets `set` in an aligned 64-bit entry if it still equals `expected`; false if it changed. */
bool l1_update64(const struct l1_memory *memory, l1_gpa_t at, u64 expected, u64 set);
