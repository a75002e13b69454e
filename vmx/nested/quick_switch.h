/* SPDX-License-Identifier: MIT */
/*
 * Between L1 and L2 the quick way: what switch_*.c do, for the vmcs12s and in the states where nothing
 * but a few fields can have changed. Each function either does all of it, or nothing, and says so.
 */
#pragma once

#include "vmx/nested/nested.h"

/* After an entry that took the long way, from an L1 with this IA32_EFER: may those to come, and the exits, be quick? */
void quick_prepare(struct vcpu *vcpu, struct nested_slot *slot, u64 l1_efer);

/* L1's VMRESUME. vmcs01 is current; vmcs02 is, when it has been done: the address of `regs`, or 0. Counts the exit. */
u64 quick_enter(struct vcpu *vcpu);

/* May an exit of L2 be quick? */
static inline bool quick_may_leave(const struct nested *nested)
{
	return nested->current->quick.entered;
}

/* An exit of L2 that is L1's. vmcs02 is current; vmcs01 is, afterwards. The address of `regs`. */
u64 quick_leave(struct vcpu *vcpu);
/* The same where L1 is to see another one than vmcs02 has recorded. */
u64 quick_leave_with(struct vcpu *vcpu, const struct vm_exit *exit);

/* The counters get what quick entries and exits have done since. Whoever reads them calls it first. */
void quick_count(struct vcpu *vcpu);

/*
 * vmcs12 and L0's memory of vmcs02 get what a quick exit has left out, as though it had taken the long way. Whoever
 * looks at a slot's vmcs12 outside of these files calls it first.
 */
void quick_settle(struct vcpu *vcpu, struct nested_slot *slot);
