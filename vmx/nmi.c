/* SPDX-License-Identifier: MIT */
/*
 * Handing on what L0 holds: an NMI that came while L0 ran, an INIT that came in
 * L1's VMX root operation. When each may reach its guest is decided by
 * vmx/nested/delivery.c; how L0 gets to that moment is vmx/nested/windows.c. A second
 * NMI meanwhile merges with the first, as it would in the processor.
 */

#include "vmx/nmi.h"

#include "vmx/events.h"
#include "vmx/exits.h"
#include "vmx/nested/delivery.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/windows.h"

static const struct vm_exit nmi_exit = {
	.reason = EXIT_EXCEPTION_OR_NMI, .basic = EXIT_EXCEPTION_OR_NMI, .interruption_information = (u32)EVENT_NMI,
};
static const struct vm_exit init_exit = { .reason = EXIT_INIT_SIGNAL, .basic = EXIT_INIT_SIGNAL };

static struct delivery_state read_state(const struct vcpu *vcpu)
{
	return (struct delivery_state){
		.activity = vmcs_read(vcpu->running, VMCS_GUEST_ACTIVITY_STATE),
		.injection = vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION),
		.interruptibility = vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE),
		.pending_debug = vmcs_read(vcpu->running, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS),
	};
}

static void inject(struct vcpu *vcpu)
{
	windows_nmi_is_gone(vcpu);
	nested_write(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_NMI);
	if (nested_in_l2(vcpu)) /* an entry of L1 does not fail */
		vcpu->nested->waiting |= WAITING_ENTRY;
}

/* Without the VMX-preemption timer the exit is made up before L2 is entered: its entry MSR list is then not loaded. */
static bool leave_unentered(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (exit == &init_exit)
		vcpu->nested->waiting &= (u8)~WAITING_INIT;
	else
		windows_nmi_is_gone(vcpu);
	switch_leave_unentered(vcpu, exit, 0);
	return false;
}

/* L1's own timer, expired at once, goes before an NMI: SDM "Other Causes of VM Exits". */
static bool l1s_timer_is_due(const struct vcpu *vcpu)
{
	return vmcs12_has(vcpu->nested->current->vmcs12, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER) &&
	       vmcs_read(vcpu->running, VMCS_PREEMPTION_TIMER_VALUE) == 0;
}

/* False: L1 runs now in place of L2. */
static bool hand_on_to_l2(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	const struct delivery_state state = read_state(vcpu);

	quick_settle(vcpu, nested->current); /* while nothing in vmcs02 is bent */
	if ((nested->waiting & WAITING_INIT) && delivery_of_init_in_l2(&state) == DELIVERY_LEAVE)
		return windows_leave_at_once(vcpu, EXIT_INIT_SIGNAL) || leave_unentered(vcpu, &init_exit);
	if (!(nested->waiting & WAITING_NMI))
		return true;
	switch (delivery_of_nmi_in_l2(nested->current->vmcs12, &state)) {
	case DELIVERY_NOW:
		inject(vcpu);
		return true;
	case DELIVERY_AT_WINDOW:
		windows_open_nmi(vcpu, &state);
		return true;
	case DELIVERY_LEAVE:
		windows_close_nmi(vcpu);
		return l1s_timer_is_due(vcpu) || windows_leave_at_once(vcpu, EXIT_EXCEPTION_OR_NMI) ||
		       leave_unentered(vcpu, &nmi_exit);
	case DELIVERY_HELD:
		break;
	}
	windows_close_nmi(vcpu);
	return true;
}

static void hand_on_to_l1(struct vcpu *vcpu)
{
	struct delivery_state state;

	if (!(vcpu->nested->waiting & WAITING_NMI))
		return;
	state = read_state(vcpu);
	switch (delivery_of_nmi(&state)) {
	case DELIVERY_NOW:
		inject(vcpu);
		return;
	case DELIVERY_AT_WINDOW:
		windows_open_nmi(vcpu, &state);
		return;
	case DELIVERY_LEAVE:
	case DELIVERY_HELD:
		break;
	}
	windows_close_nmi(vcpu);
}

void nmi_take(struct vcpu *vcpu)
{
	if (!vcpu->cpu->nmi_pending)
		return;
	vcpu->cpu->nmi_pending = 0;
	vcpu->nested->waiting |= WAITING_NMI;
}

void nmi_before_entry(struct vcpu *vcpu)
{
	nmi_take(vcpu);
	vmcs_load(vcpu->running);
	if (nested_in_l2(vcpu) && hand_on_to_l2(vcpu))
		return;
	hand_on_to_l1(vcpu);
}

/* Of L1, or of an L2 whose L1 has no NMI window of its own; the entry that follows finds the guest ready. */
void handle_nmi_window(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 blocking;

	(void)exit;
	windows_close_nmi(vcpu);
	if (nested_in_l2(vcpu) && (vcpu->nested->waiting & WAITING_NMI) &&
	    vmcs12_has(vcpu->nested->current->vmcs12, WORD_PIN, PIN_NMI_EXITING)) {
		windows_nmi_is_gone(vcpu);
		switch_leave_l2(vcpu, &nmi_exit);
		return;
	}
	blocking = vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE);
	nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, delivery_blocking_after_window(blocking));
}

/* An NMI while the window was awaited; L0 intercepts no exceptions. */
void handle_exception_or_nmi(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!exit_is_nmi(exit)) {
		handle_unexpected(vcpu, exit);
		return;
	}
	vcpu->nested->waiting |= WAITING_NMI;
}
