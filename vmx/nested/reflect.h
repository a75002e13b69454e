/* SPDX-License-Identifier: MIT */
/*
 * To whom does an exit of L2 belong? "Must L0 have it?", then "does L1 want
 * it?", answered by the rules in exits.def and a few callbacks. Pure.
 */
#pragma once

#include "vmx/exit.h"
#include "vmx/nested/vmcs12.h"

enum reflect_owner {
	OWNER_L0,
	OWNER_L1,
	OWNER_L2,	/* nobody's: L2 goes on with the instruction that exited */
	OWNER_EPT12,	/* the walk of EPT12 decides (ept02_handle) */
	OWNER_BITMAPS	/* L1's MSR or I/O bitmap decides (bitmaps02_owner) */
};

struct reflect_question {
	const struct vmcs12 *vmcs12;
	const struct vm_exit *exit;
	u32 msr;		/* ECX, for RDMSR and WRMSR */
	bool watches_ports;	/* L0 does, so that L2 has not L1's own I/O bitmaps */
	bool watches_tpr;		/* L0 carries out what changes VTPR (vmx/nested/threshold.h) */
};

enum reflect_owner reflect(const struct reflect_question *question);

/* Is there a rule at all? Without one the exit is reflected, and worth a line. */
bool reflect_is_known(u32 basic);
