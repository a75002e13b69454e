/* SPDX-License-Identifier: MIT */
/*
 * How L0 gets back in at the right moment: the NMI window, and the immediate exit,
 * which leaves L2 after a real entry and before its first instruction. Both bend a
 * few fields of the VMCS that is about to run, and put them straight again.
 */
#pragma once

#include "vmx/exit.h"
#include "vmx/vcpu.h"

struct delivery_state;

/* Exit once the running guest, of which this is the state, could take an NMI. */
void windows_open_nmi(struct vcpu *vcpu, const struct delivery_state *state);
void windows_close_nmi(struct vcpu *vcpu);
/* The NMI that waited is delivered, by whatever way: nobody awaits it any more, neither the running guest nor L1 behind it. */
void windows_nmi_is_gone(struct vcpu *vcpu);

/*
 * The next entry of L2 ends at once in an exit to L1: EXIT_INIT_SIGNAL, or
 * EXIT_EXCEPTION_OR_NMI for an NMI. False: the processor has no VMX-preemption timer.
 */
bool windows_leave_at_once(struct vcpu *vcpu, u16 reason) must_check;

/*
 * At each exit of L2 while something waits: all is straight again, the timer's exit is made the one that it stands
 * for, and an NMI that L1 gets is the one that waits.
 */
void windows_note_exit(struct vcpu *vcpu, struct vm_exit *exit);

/* L2 was not entered: its fields come from the next merge, and what was to be injected still waits. */
void windows_forget(struct vcpu *vcpu);
