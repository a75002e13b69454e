/* SPDX-License-Identifier: MIT */
/*
 * The caller's state at the moment of launch: what L1 starts with, and what is
 * put back if the launch fails. A CPU's segment caches cannot be read, so the
 * hidden parts come from the caller's descriptor tables.
 */
#pragma once

#include "arch/ops.h"
#include "boot/root/launch_frame.h"

/* As the VMCS has them. SDM "Guest Register State". */
struct segment {
	u16 selector;
	u32 limit;
	u32 access_rights;
	u64 base;
};

#define ACCESS_RIGHTS_UNUSABLE BIT(16)

struct firmware_state {
	struct launch_frame frame;
	u64 rsp;			/* after the call has returned */
	u64 cr0, cr3, cr4;
	u64 dr7;
	struct segment es, cs, ss, ds, fs, gs, ldtr, tr;
	struct descriptor_register gdtr, idtr;
	u64 efer, pat, debugctl;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
};

/* Must run on the caller's page tables, descriptor tables and segments. */
void firmware_state_capture(struct firmware_state *state, const struct launch_frame *frame);

/* Puts all back that L0 changed, except general registers and CR8. */
void firmware_state_restore(const struct firmware_state *state);
