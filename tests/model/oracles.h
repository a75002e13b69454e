/* SPDX-License-Identifier: MIT */
/*
 * What must hold whatever L1 and L2 do: at each VM entry, and from each exit of L2 to L1.
 * Written apart from the code that it judges. A broken rule aborts with its name.
 */
#pragma once

#include "vmx/exit.h"
#include "vmx/vcpu.h"

/* What the processor is about to be given. */
void oracles_at_entry(void);
/* Around L0's work on one exit. */
void oracles_before_exit(const struct vcpu *vcpu);
void oracles_after_exit(const struct vcpu *vcpu, const struct vm_exit *exit);

/* Has L2 exited to L1 since the last entry? */
bool oracles_l1_is_new(void);

/* L2's guest state as the processor saved it at the last exit of L2. */
extern struct vmcs_image oracles_exit_state;
extern u64 oracles_exits;	/* of L2, from the processor */
