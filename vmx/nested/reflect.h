/* SPDX-License-Identifier: MIT */
/*
 * To whom does an exit of L2 belong? "Must L0 have it?", then "does L1 want
 * it?", answered by the rules in exits.def and a few callbacks. Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/exit.h"
#include "vmx/nested/vmcs12.h"

enum reflect_owner {
	OWNER_L0,
	OWNER_L1,
	OWNER_EPT12	/* the walk of EPT12 decides (ept02_handle) */
};

struct reflect_question {
	const struct vmcs12 *vmcs12;
	const struct vm_exit *exit;
	const struct l1_memory *memory;
	u32 msr;		/* ECX, for RDMSR and WRMSR */
	const u64 *msr_bitmap01;	/* what L0 itself intercepts */
	const u8 *io_bitmaps01;		/* ports that L0 watches; NULL: none */
	bool watches_tpr;		/* L0 carries out what changes VTPR (vmx/nested/threshold.h) */
};

enum reflect_owner reflect(const struct reflect_question *question);

/* Is there a rule at all? Without one the exit is reflected, and worth a line. */
bool reflect_is_known(u32 basic);
