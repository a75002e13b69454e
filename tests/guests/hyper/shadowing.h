/* SPDX-License-Identifier: MIT */
/* What the scenarios of VMCS shadowing share: an L2 with bitmaps, and shadow VMCSs. */
#pragma once

#include "tests/guests/lib/vm.h"

/* SDM "Format of the VMCS Region" */
#define SHADOW_INDICATOR (1u << 31)
/* shadow_access: an exit instead, and its reason. */
#define SHADOW_EXITED 0x10000u

struct shadowing {
	struct vm *vm;
	u8 *read_bitmap, *write_bitmap; /* all open at first */
};

/* vmcs_shadowing_l2.asm */
extern const u8 l2_shadow_read[], l2_shadow_write[], l2_shadow_read_memory[], l2_shadow_write_memory[], l2_shadow_read_stack[];

bool has_vmcs_shadowing(void);
/* A region with the indicator, cleared. */
u64 shadow_region(void);
/* An L2 whose link pointer is the region; its VMCS is current. */
struct shadowing *shadowing_create(u64 region);
void close_field(u8 *bitmap, u32 encoding);

/* One VMREAD or VMWRITE in L2 (l2_shadow_...): OUTCOME_..., or SHADOW_EXITED. */
u32 shadow_access(struct shadowing *s, const u8 *code, u64 field, u64 value, u64 address);
/* The same where success is expected; anything else is said. */
u64 shadow_read(struct shadowing *s, u64 field);
void shadow_write(struct shadowing *s, u64 field, u64 value);

/* L1's own access to a region; then `back_to` is current. */
u64 region_read(u64 region, enum vmcs_field field, u64 back_to);
void region_write(u64 region, enum vmcs_field field, u64 value, u64 back_to);
