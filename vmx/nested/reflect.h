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
	OWNER_BITMAPS,	/* L1's MSR or I/O bitmap decides (bitmaps02_owner) */
	OWNER_UNDECIDED	/* that depends on the exit */
};

struct reflect_question {
	const struct vmcs12 *vmcs12;
	const struct vm_exit *exit;	/* NULL: what holds for all exits of one reason */
	u32 msr;		/* ECX, for RDMSR and WRMSR */
	bool watches_ports;	/* L0 does, so that L2 has not L1's own I/O bitmaps */
	bool watches_tpr;		/* L0 carries out what changes VTPR (vmx/nested/threshold.h) */
};

enum reflect_owner reflect(const struct reflect_question *question);

/*
 * Whose all exits of this reason are as long as vmcs12's controls and what L0 watches stay as they are: bitmaps may decide,
 * or more of the exit than its reason. L0 has reasons without a rule. Of the question, `exit` and `msr` are of no account.
 */
enum reflect_owner reflect_standing(const struct reflect_question *question, u32 basic);

/* Is there a rule at all? Without one the exit is reflected, and worth a line. */
bool reflect_is_known(u32 basic);
