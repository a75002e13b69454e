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

/* A VMREAD or VMWRITE bitmap of vmcs02's. */
struct shadow12_bitmap {
	u64 *content;			/* a page that is all ones but for the sixteen words of fields that there are */
	struct field_set closed12;	/* those as L1 had them when it was made */
	struct row_set open;		/* what it leaves open */
};

/* Open are fields that are in `served`, and not closed in L1's page at `address`. SDM "VMCS Shadowing Bitmap Addresses". */
void shadow12_refresh_bitmap(const struct l1_memory *memory, u64 address, const struct field_set *served, struct shadow12_bitmap *bitmap);

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
