/* SPDX-License-Identifier: MIT */
/*
 * NMI windows and the immediate exit: see vmx/nested/windows.h. The immediate
 * exit is a VMX-preemption timer of 0: SDM "VMX-Preemption Timer" of VM entry has it
 * exit after event injection and before the first instruction.
 */

#include "vmx/nested/windows.h"

#include "vmx/events.h"
#include "vmx/nested/delivery.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/switch_parts.h"
#include "vmx/nested/threshold.h"

#define WINDOW_PIN (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)
#define WINDOW_PROC PROC_NMI_WINDOW_EXITING
#define ONE_INSTRUCTION (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

/* vmcs02's controls as merged, with what is bent at the moment. */
static void write_controls02(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_image *own = &nested->current->image02;
	u64 pin = image_get(own, VMCS_PIN_BASED_CONTROLS);
	u64 proc = image_get(own, VMCS_PROCESSOR_BASED_CONTROLS);

	if (nested->nmi_window02) {
		pin |= WINDOW_PIN;
		proc |= WINDOW_PROC;
	}
	if (nested->immediate.armed)
		pin |= PIN_ACTIVATE_PREEMPTION_TIMER;
	if (nested->question.watches_tpr)
		proc |= PROC_CR8_LOAD_EXITING;
	/* INIT goes before a trap of the monitor trap flag, the timer after it. */
	if (nested->immediate.armed && nested->immediate.reason == EXIT_INIT_SIGNAL)
		proc &= ~(u64)PROC_MONITOR_TRAP_FLAG;
	nested_write(vcpu, VMCS_PIN_BASED_CONTROLS, pin);
	nested_write(vcpu, VMCS_PROCESSOR_BASED_CONTROLS, proc);
}

static void write_controls01(struct vcpu *vcpu)
{
	const struct nested *nested = vcpu->nested;
	u64 pin = image_get(&nested->image01, VMCS_PIN_BASED_CONTROLS);
	u64 proc = image_get(&nested->image01, VMCS_PROCESSOR_BASED_CONTROLS);

	vmcs_write(&vcpu->vmcs01, VMCS_PIN_BASED_CONTROLS, nested->nmi_window01 ? pin | WINDOW_PIN : pin);
	vmcs_write(&vcpu->vmcs01, VMCS_PROCESSOR_BASED_CONTROLS, nested->nmi_window01 ? proc | WINDOW_PROC : proc);
}

static void set_nmi_window(struct vcpu *vcpu, bool open)
{
	struct nested *nested = vcpu->nested;
	bool *is_open = nested_in_l2(vcpu) ? &nested->nmi_window02 : &nested->nmi_window01;

	if (*is_open == open)
		return;
	*is_open = open;
	if (nested_in_l2(vcpu))
		write_controls02(vcpu);
	else
		write_controls01(vcpu);
}

void windows_open_nmi(struct vcpu *vcpu, const struct delivery_state *state)
{
	u64 blocking = delivery_blocking_with_window(state);

	if (blocking != state->interruptibility)
		nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking);
	set_nmi_window(vcpu, true);
}

void windows_close_nmi(struct vcpu *vcpu)
{
	set_nmi_window(vcpu, false);
}

void windows_nmi_is_gone(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	nested->waiting &= (u8)~WAITING_NMI;
	windows_close_nmi(vcpu);
	/* L1 entered L2 before its own window came. */
	if (!nested->nmi_window01)
		return;
	nested->nmi_window01 = false;
	vmcs_load(&vcpu->vmcs01);
	write_controls01(vcpu);
	vmcs_load(vcpu->running);
}

/* --- the immediate exit ----------------------------------------------------------- */

/* Would the processor accept the state that it is not going to see whole? */
static bool guest_state_passes(struct vcpu *vcpu)
{
	struct entry_context context;
	struct entry_failure failure;
	bool passes;

	slots_fetch_rare(vcpu, vcpu->nested->current);
	vmcs_load(&vcpu->vmcs01);
	context = switch_entry_context(vcpu);
	passes = check_guest(&context, &failure);
	vmcs_load(vcpu->running);
	return passes;
}

/*
 * INIT comes before debug traps and is not blocked by STI or MOV SS, while the timer
 * comes after the former, and some processors hold it back for the latter: SDM "Priority
 * Among Concurrent Events". So L2 is entered without them, and gets them back afterwards.
 */
static void hide_what_init_precedes(struct vcpu *vcpu, struct immediate_exit *immediate)
{
	struct delivery_state state = {
		.injection = vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION),
		.interruptibility = vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE),
		.pending_debug = vmcs_read(vcpu->running, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS),
	};
	bool pending_mtf = (state.injection & INTERRUPTION_VALID) && !delivery_is_vectoring(&state);

	/* Delivery of an event ends blocking and drops traps by itself. */
	if (delivery_is_vectoring(&state))
		return;
	if (!pending_mtf && !state.pending_debug && !(state.interruptibility & ONE_INSTRUCTION))
		return;
	if (!guest_state_passes(vcpu))
		return; /* the processor will say so */
	immediate->blocking = state.interruptibility & ONE_INSTRUCTION;
	immediate->pending_debug = state.pending_debug;
	nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, state.interruptibility & ~ONE_INSTRUCTION);
	nested_write(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	nested_write(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, state.injection & ~INTERRUPTION_VALID);
}

bool windows_leave_at_once(struct vcpu *vcpu, u16 reason)
{
	struct nested *nested = vcpu->nested;
	struct immediate_exit *immediate = &nested->immediate;

	if (!caps_allow(nested->hardware, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER))
		return false;
	if (immediate->armed)
		return true;
	*immediate = (struct immediate_exit){
		.armed = true,
		.reason = reason,
		.timer = vmcs_read(vcpu->running, VMCS_PREEMPTION_TIMER_VALUE),
	};
	if (reason == EXIT_INIT_SIGNAL)
		hide_what_init_precedes(vcpu, immediate);
	write_controls02(vcpu);
	nested_write(vcpu, VMCS_PREEMPTION_TIMER_VALUE, 0);
	return true;
}

static void straighten(struct vcpu *vcpu)
{
	struct immediate_exit *immediate = &vcpu->nested->immediate;

	immediate->armed = false;
	write_controls02(vcpu);
	nested_write(vcpu, VMCS_PREEMPTION_TIMER_VALUE, immediate->timer);
	if (immediate->blocking)
		nested_write(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE,
			     vmcs_read(vcpu->running, VMCS_GUEST_INTERRUPTIBILITY_STATE) | immediate->blocking);
	if (immediate->pending_debug)
		nested_write(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			     vmcs_read(vcpu->running, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | immediate->pending_debug);
}

/* An entry that failed has delivered nothing: SDM "VM-Entry Failures During or After Loading Guest State". */
static void settle_injection(struct nested *nested, bool entered)
{
	if ((nested->waiting & WAITING_ENTRY) && !entered)
		nested->waiting |= WAITING_NMI;
	nested->waiting &= (u8)~WAITING_ENTRY;
}

/* The immediate exit came: what L1 is to see of it. */
static struct vm_exit exit_due(const struct immediate_exit *immediate)
{
	if (immediate->reason == EXIT_INIT_SIGNAL)
		return (struct vm_exit){ .reason = EXIT_INIT_SIGNAL, .basic = EXIT_INIT_SIGNAL };
	return (struct vm_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .basic = EXIT_EXCEPTION_OR_NMI,
				 .interruption_information = (u32)EVENT_NMI };
}

void windows_note_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;

	settle_injection(nested, !exit->entry_failure);
	if (nested->immediate.armed) {
		straighten(vcpu);
		if (exit->basic == EXIT_PREEMPTION_TIMER && !exit->entry_failure) {
			*exit = exit_due(&nested->immediate);
			if (nested->immediate.reason == EXIT_INIT_SIGNAL)
				nested->waiting &= (u8)~WAITING_INIT;
		}
	}
	/* The processor, too, has room for one. */
	if (exit_is_nmi(exit) && vmcs12_has(nested->current->vmcs12, WORD_PIN, PIN_NMI_EXITING))
		windows_nmi_is_gone(vcpu);
}

void windows_forget(struct vcpu *vcpu)
{
	settle_injection(vcpu->nested, false);
	vcpu->nested->nmi_window02 = false;
	vcpu->nested->immediate.armed = false;
	threshold_forget(vcpu);
}
