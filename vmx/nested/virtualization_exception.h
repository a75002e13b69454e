/* SPDX-License-Identifier: MIT */
/*
 * Virtualization exceptions (#VE) of L2: which violation of EPT12 becomes one, and
 * what it leaves in L1's memory. vmcs02 never has the control: hardware would make
 * #VE of misses in EPT02, too. SDM "Virtualization Exceptions". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/nested/vmcs12.h"

/* A violation of EPT12, and L2 at that moment. */
struct convertible_violation {
	u64 entry;		/* of EPT12, which decided */
	u64 qualification, linear, physical;
	u64 cr0;
	bool vectoring;		/* while an event was being delivered */
};

/*
 * True: the violation is a #VE and the information area tells of it. False: it is
 * an exit, and nothing was written. SDM "Convertible EPT Violations".
 */
bool virtualization_exception(const struct vmcs12 *vmcs12, const struct l1_memory *memory,
			      const struct convertible_violation *violation) must_check;
