/* SPDX-License-Identifier: MIT */
/*
 * The loop of a vCPU. Each turn: what must be done before entering, the entry,
 * the exit as a value, and one of three ends: L1's own exit goes to its handler,
 * an exit of L2 is L1's (reflected) or L0's (handled).
 */

#include "vmx/run.h"

#include "drivers/console.h"
#include "drivers/lock.h"
#include "drivers/panic.h"
#include "vmx/emulate.h"
#include "vmx/ept01.h"
#include "vmx/exits.h"
#include "vmx/handle_ept12.h"
#include "vmx/handle_serial.h"
#include "vmx/handle_vmx.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/reflect.h"
#include "vmx/nested/threshold.h"
#include "vmx/nested/windows.h"
#include "vmx/nmi.h"
#include "vmx/stop.h"
#include "vmx/trace_exits.h"

static struct vm_exit read_exit(const struct vcpu *vcpu)
{
	u32 reason = (u32)vmcs_read(vcpu->running, VMCS_EXIT_REASON);

	return (struct vm_exit){
		.reason = reason,
		.basic = (u16)(reason & EXIT_REASON_BASIC),
		.entry_failure = (reason & EXIT_REASON_ENTRY_FAILURE) != 0,
		.qualification = vmcs_read(vcpu->running, VMCS_EXIT_QUALIFICATION),
		.interruption_information = (u32)vmcs_read(vcpu->running, VMCS_EXIT_INTERRUPTION_INFORMATION),
	};
}

/* L0 handled the exit: L2 goes on, unless it came to an exit to L1 after all, or the monitor trap is due. */
static void resume_l2(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const struct vm_exit trap = { .reason = EXIT_MONITOR_TRAP_FLAG, .basic = EXIT_MONITOR_TRAP_FLAG };
	bool monitor_trap = vcpu->nested->monitor_trap;

	vcpu->nested->monitor_trap = false;
	if (!nested_in_l2(vcpu))
		return;
	if (unlikely(monitor_trap)) {
		/* Not injected as pending, as Bochs forgets that where the control is set. */
		switch_leave_unentered(vcpu, &trap, 0);
		return;
	}
	emulate_reinject(vcpu);
	switch_prepare_resume(vcpu);
	count_kept(exit->basic);
}

/* An L2 that finds such an exit may repeat it. */
static void tell_unknown(const struct vm_exit *exit)
{
	static struct line_budget budget;

	log_info_within(&budget, "L2 exit with unknown reason %u: given to L1", exit->basic);
}

/*
 * INIT goes before the monitor trap, which is then lost: SDM "Monitor Trap Flag". Where L1 does not see that INIT it gets the trap.
 * With the flag L2 is elsewhere only once an instruction is over, or an event delivered.
 */
static bool has_lost_trap(const struct vcpu *vcpu)
{
	const struct vmcs12 *vmcs12 = vcpu->nested->current->vmcs12;
	u64 injected = vmcs12_get(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION);

	return ((injected & INTERRUPTION_VALID) && field_get(injected, INTERRUPTION_TYPE) == INTERRUPTION_OTHER_EVENT) ||
	       (vmcs12_has(vmcs12, WORD_PROC, PROC_MONITOR_TRAP_FLAG) &&
		vmcs_read(vcpu->running, VMCS_GUEST_RIP) != vmcs12_get(vmcs12, VMCS_GUEST_RIP));
}

static void handle_l2_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	enum reflect_owner owner;
	/* The processor's: one of L1's that has waited is nobody else's. */
	bool is_init = exit->basic == EXIT_INIT_SIGNAL;

	count_exit_reason(true, exit->basic);
	if (unlikely(nested->waiting))
		windows_note_exit(vcpu, exit);
	if (exit->entry_failure)
		switch_explain_refusal(vcpu, exit);
	else
		switch_note_exit(vcpu);
	if (!reflect_is_known(exit->basic))
		tell_unknown(exit);
	if (unlikely(is_init) && stop_takes_init(vcpu->cpu)) {
		nested->monitor_trap = has_lost_trap(vcpu);
		resume_l2(vcpu, exit);
		return;
	}

	nested->question.vmcs12 = nested->current->vmcs12;
	nested->question.exit = exit;
	nested->question.msr = (u32)vcpu->regs.gpr[REG_RCX];
	owner = reflect(&nested->question);
	if (owner == OWNER_EPT12) {
		owner = handle_ept12(vcpu, exit);
		if (owner == OWNER_L0) {
			resume_l2(vcpu, exit);
			return;
		}
	}
	if (owner == OWNER_BITMAPS)
		owner = bitmaps02_owner(nested, exit);
	if (owner == OWNER_L1) {
		switch_leave_l2(vcpu, exit);
		return;
	}
	if (owner == OWNER_L2) {
		resume_l2(vcpu, exit);
		return;
	}
	exits_dispatch(vcpu, exit);
	resume_l2(vcpu, exit);
}

static void handle_l1_exit(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;

	count_exit_reason(false, exit->basic);
	if (unlikely(nested->loads_once) && !exit->entry_failure)
		switch_loads_done(vcpu);
	exits_dispatch(vcpu, exit);
	/* A VM entry by L1 has switched to vmcs02, which tells of an exit long past. */
	if (!nested_in_l2(vcpu))
		emulate_reinject(vcpu);
}

/* VMLAUNCH or VMRESUME itself failed: never for vmcs01, after the first time. */
static void handle_failed_entry(struct vcpu *vcpu)
{
	if (!nested_in_l2(vcpu))
		panic("VM entry of L1 failed, VM-instruction error %lu", vmcs_read(vcpu->running, VMCS_VM_INSTRUCTION_ERROR));
	if (threshold_yields(vcpu))
		return;
	if (unlikely(vcpu->nested->tracing))
		trace_entry_failed(vcpu);
	handle_vmx_apply(vcpu, switch_unwind_entry(vcpu));
}

static void before_entry(struct vcpu *vcpu)
{
	if (vcpu->nested->waiting)
		nmi_before_entry(vcpu);
	if (vcpu->nested->tracing)
		trace_entry(vcpu, TRACE_LONG);
}

/* Enters what is running, again when an NMI came first. */
static enum entry_result enter(struct vcpu *vcpu)
{
	enum entry_result result;

	do {
		if (unlikely(vcpu->nested->attention))
			before_entry(vcpu);
		vmcs_load(vcpu->running);
		result = (enum entry_result)vcpu_enter(&vcpu->regs, vcpu->running->launched);
		if (unlikely(result == ENTRY_NMI)) {
			lock_check_none_held();
			nmi_take(vcpu);
		}
	} while (result == ENTRY_NMI);
	return result;
}

/* What is left to do when an exit has been handled, and the guest that is next could be entered. */
static void after_exit(struct vcpu *vcpu)
{
	handle_serial_look();
	while (stop_is_wanted()) {
		vcpu->machine->stop_point(vcpu);
		handle_serial_resume(vcpu);
	}
	stop_leave(vcpu->cpu);
}

static void handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	/* INIT, or SIPI, brought us here from L1 or L2, or we came by ourselves. */
	if (unlikely(panic_is_active()))
		panic_stop_here();
	if (likely(!vcpu->nested->attention)) /* quick_handle() has read the reason */
		count(COUNTER_VMREADS);
	if (!exit->entry_failure)
		vcpu->running->launched = true;
	if (unlikely(vcpu->nested->mtrrs_loaded)) {
		vcpu->nested->mtrrs_loaded = false;
		ept01_mtrrs_changed(vcpu->machine->ept01);
	}
	if (nested_in_l2(vcpu))
		handle_l2_exit(vcpu, exit);
	else
		handle_l1_exit(vcpu, exit);
	after_exit(vcpu);
}

/* The first entry of all, which alone may be refused: the caller then undoes the launch. */
static bool enter_first(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (enter(vcpu) != ENTRY_EXITED) {
		log_error("VM entry of the firmware failed, VM-instruction error %lu",
			  vmcs_read(vcpu->running, VMCS_VM_INSTRUCTION_ERROR));
		return false;
	}
	*exit = read_exit(vcpu);
	if (exit->entry_failure)
		log_error("VM entry of the firmware failed: %s, qualification 0x%lx", exit_name(exit->basic), exit->qualification);
	return !exit->entry_failure;
}

enum launch_status vcpu_run(struct vcpu *vcpu)
{
	struct vm_exit exit;

	if (!enter_first(vcpu, &exit))
		return LAUNCH_VMCS_REFUSED;
	for (;;) {
		handle_exit(vcpu, &exit);
		while (enter(vcpu) != ENTRY_EXITED)
			handle_failed_entry(vcpu);
		exit = read_exit(vcpu);
	}
}
