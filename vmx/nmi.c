/* SPDX-License-Identifier: MIT */
/*
 * Handing on NMIs. Usually the guest can take one at once, and it is injected.
 * When it cannot (another event goes first, blocking by STI or MOV SS) the
 * running VMCS gets NMI exiting, virtual NMIs and NMI-window exiting until it can:
 * the only time that L0 intercepts NMIs. A second NMI meanwhile merges with the
 * first, as it would in the processor.
 */

#include "vmx/nmi.h"

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/exits.h"
#include "vmx/nested/nested.h"

#define NMI_EVENT (INTERRUPTION_VALID | field_put(INTERRUPTION_NMI, INTERRUPTION_TYPE) | VECTOR_NMI)

#define WINDOW_PIN (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)
#define WINDOW_PROC PROC_NMI_WINDOW_EXITING

static void write_controls(struct vcpu *vcpu, u64 pin, u64 proc)
{
	nested_write(vcpu, VMCS_PIN_BASED_CONTROLS, pin);
	nested_write(vcpu, VMCS_PROCESSOR_BASED_CONTROLS, proc);
}

static void open_window(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	bool *open = nested_in_l2(vcpu) ? &nested->nmi_window02 : &nested->nmi_window01;
	u64 pin = vmcs_read(vcpu->running, VMCS_PIN_BASED_CONTROLS);
	u64 proc = vmcs_read(vcpu->running, VMCS_PROCESSOR_BASED_CONTROLS);

	if (*open)
		return;
	*open = true;
	if (nested_in_l2(vcpu)) {
		nested->own_pin02 = pin;
		nested->own_proc02 = proc;
	}
	write_controls(vcpu, pin | WINDOW_PIN, proc | WINDOW_PROC);
}

static void close_window(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	if (nested_in_l2(vcpu)) {
		if (nested->nmi_window02)
			write_controls(vcpu, nested->own_pin02, nested->own_proc02);
		nested->nmi_window02 = false;
		return;
	}
	if (nested->nmi_window01)
		write_controls(vcpu, image_get(&nested->image01, VMCS_PIN_BASED_CONTROLS),
			       image_get(&nested->image01, VMCS_PROCESSOR_BASED_CONTROLS));
	nested->nmi_window01 = false;
}

static bool can_inject(const struct vcpu *vcpu)
{
	const u64 blocking = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI;

	/* A processor that waits for SIPI takes no NMI, and VM entry refuses one there. */
	return vmcs_read(vcpu->running, VMCS_GUEST_ACTIVITY_STATE) != ACTIVITY_WAIT_FOR_SIPI &&
	       !(vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID) &&
	       !(vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE) & blocking);
}

void nmi_before_entry(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	struct percpu *cpu = vcpu->cpu;

	if (cpu->nmi_pending) {
		cpu->nmi_pending = 0;
		nested->nmi_for_l1 = true;
	}
	if (likely(!nested->nmi_for_l1))
		return;
	vmcs_load(vcpu->running);
	if (nested_in_l2(vcpu) && vmcs12_has(nested->current->vmcs12, WORD_PIN, PIN_NMI_EXITING)) {
		close_window(vcpu);
		nested->nmi_for_l1 = false;
		switch_leave_for_event(vcpu, (u32)NMI_EVENT, 0);
		return;
	}
	if (!can_inject(vcpu)) {
		open_window(vcpu);
		return;
	}
	close_window(vcpu);
	nested_write(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, NMI_EVENT);
	nested->nmi_for_l1 = false;
}

void handle_nmi_window(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit; /* nmi_before_entry finds the guest ready */
	close_window(vcpu);
}

/* An NMI while the window was awaited; L0 intercepts no exceptions. */
void handle_exception_or_nmi(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!interruption_is_nmi(exit->interruption_information)) {
		handle_unexpected(vcpu, exit);
		return;
	}
	vcpu->nested->nmi_for_l1 = true;
}
