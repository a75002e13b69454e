/* SPDX-License-Identifier: MIT */
/*
 * vmcs02 = merge(L0's needs, vmcs12): images to images, no hardware. What each
 * field and control does is said in the tables; the few computed ones are here.
 * SDM "VM Entries". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"
#include "vmx/nested/vmcs12.h"

/* What of L1's live state counts for L2 when vmcs12 does not load it. */
struct merge_l1_state {
	u64 efer;
	u64 pat;
	u64 dr7;
	u64 debugctl;
};

/* I/O bitmaps that have L0's ports, two pages each: L0's own; those in place of L1's. */
struct merge_io {
	hpa_t bitmaps01, bitmaps02;
};

/* What vmcs02 gets where vmcs12 has VMCS shadowing: L0's shadow VMCS in place of L1's, L1's bitmaps with L0's ones. */
struct merge_shadow {
	u64 link;	/* all ones where L1's link pointer is */
	hpa_t vmread_bitmap, vmwrite_bitmap;
};

struct merge_input {
	const struct vmcs12 *vmcs12;
	const struct vmcs_image *image01;	/* L0's control words and host state */
	const struct l1_memory *memory;
	struct merge_l1_state l1;
	u64 eptp02, spptp02;
	hpa_t msr_bitmap02;
	const struct merge_io *io;		/* NULL where L0 watches no port */
	const struct merge_shadow *shadow;	/* NULL without VMCS shadowing */
	hpa_t entry_msr_load;			/* L0's copy of L1's list */
	u16 vpid02;
	const u64 *pdpte;			/* four, when L1 uses no EPT and L2 is in PAE paging; else NULL */
};

/* Fills every row that vmcs02 has; rows of class INFO and ABSENT are left alone. */
void merge(struct vmcs_image *image02, const struct merge_input *input);

/*
 * The same, when since the merge before only such fields changed as change
 * without an exit to L0: those that L1 may write in its shadow VMCS, and L2's own
 * state. Whoever changes another field (VMWRITE that exits) asks for merge().
 */
void merge_again(struct vmcs_image *image02, const struct merge_input *input);

/* Has L1 changed, without an exit, which I/O bitmaps count? Then it must be merge(). */
bool merge_io_is_stale(const struct vmcs_image *image02, const struct merge_input *input);

/* Has vmcs02 another link pointer than it needs now? The shadow VMCS moves with the slot of its vmcs12. Then, too. */
bool merge_shadow_is_stale(const struct vmcs_image *image02, const struct merge_input *input);

/* May merge_again change this row? */
bool merge_is_hot(const struct vmcs_field_info *info);

/* One control word of vmcs02, from the table's merge column. */
u32 merge_control(const struct vmcs12 *vmcs12, const struct vmcs_image *image01, enum control_word word);

/*
 * The VPID tag for L2: a bijection on L1's VPIDs, but for one, that stays clear of
 * VPID01, which tags L1's own translations. 0 when vmcs12 uses none.
 */
#define VPID01 1
u16 merge_vpid(const struct vmcs12 *vmcs12);
u16 merge_vpid02(u16 vpid12);
