/* SPDX-License-Identifier: MIT */
/*
 * VMCS shadowing as L1 uses it for L2: what becomes of a VMREAD or VMWRITE in L2 by
 * L1's bitmaps and link pointer, and the bitmaps that hardware gets. Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/nested/field_set.h"
#include "vmx/nested/insn.h"
#include "vmx/nested/vmcs12.h"

/* May L1 VMPTRLD a region that begins so? SDM "VMPTRLD": shadow VMCSs exist where shadowing does. */
bool shadow12_is_revision(const struct vmx_caps *offered, u32 revision);

/*
 * The sixteen words of `bitmap02`, a page that is all ones elsewhere: L1's bits at `address`, and
 * ones for all fields that are not `served`. What is open there is added to `open`.
 */
void shadow12_merge_bitmap(const struct l1_memory *memory, u64 address, const struct field_set *served,
			   u64 *bitmap02, struct field_set *open);

/* A VMREAD or VMWRITE by which L2 exited although, or because, vmcs12 has VMCS shadowing. */
struct shadow12_access {
	const struct vmcs12 *vmcs12;
	const struct vmx_caps *offered;
	const struct l1_memory *memory;
	u64 encoding;		/* the whole operand */
	bool write;
	u8 cpl;
};

/* True: the exit is L1's. False: `result` is how the instruction ends in L2. SDM "VMREAD", "VMWRITE". */
bool shadow12_exits(const struct shadow12_access *access, struct insn_result *result);
