/* SPDX-License-Identifier: MIT */
/*
 * Exits that VMX forces on L0 and that concern few: XSETBV, INVD, instructions
 * that L1's processor does not have, the end of L1, and reasons nobody asked for.
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/mca_dump.h"
#include "drivers/panic.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/vmx_abort.h"
#include "vmx/nested/watch.h"
#include "vmx/shutdown.h"

/* The processor judges the value; XCR0 is the guest's, L0 uses no extended state. */
void handle_xsetbv(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const u64 *gpr = vcpu->regs.gpr;
	u64 value = (u32)gpr[REG_RAX] | gpr[REG_RDX] << 32;

	(void)exit;
	if (emulate_cpl(vcpu) == 0 && xsetbv_safe((u32)gpr[REG_RCX], value))
		emulate_advance(vcpu);
	else
		emulate_exception(vcpu, VECTOR_GP, 0);
}

/* Dropping caches without writing them back would lose L0's own data, too. */
void handle_invd(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	wbinvd();
	emulate_advance(vcpu);
}

void handle_undefined_opcode(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	emulate_exception(vcpu, VECTOR_UD, 0);
}

/* CPUID hides SMX, and CR4.SMXE cannot be set. */
void handle_getsec(struct vcpu *vcpu, const struct vm_exit *exit)
{
	handle_undefined_opcode(vcpu, exit);
}

void handle_triple_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	(void)vcpu;
	shutdown("triple fault of L1");
}

/*
 * Departs from SDM "Task Switching": L0 does not carry out a hardware task switch,
 * which only an L1 outside IA-32e mode can ask for; it ends as a triple fault would.
 */
void handle_task_switch(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
	shutdown("a hardware task switch in L1, which Testudo does not carry out");
}

/* Of L1: an entry to L2 that fails so is L1's. SDM "Machine-Check Events During VM Entry". */
void handle_machine_check(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct mca_state state;

	(void)vcpu;
	(void)exit;
	mca_read(&state);
	mca_print(&state, "during VM entry");
	panic("machine check during VM entry");
}

/*
 * An entry to L1 failed after it had begun. With L1's own exit-MSR-load list under
 * way that is L1's VMX abort; otherwise vmcs01 is bad, which is our bug.
 */
void handle_entry_failure(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (exit->basic == EXIT_MSR_LOADING && vcpu->nested->exit_load_count) {
		vmx_abort(vcpu, ABORT_LOAD_MSRS);
		return;
	}
	panic("VM entry of L1 failed: %s, qualification 0x%lx", exit_name(exit->basic), exit->qualification);
}

void handle_unexpected(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu;
	panic("unexpected VM exit %u (%s), qualification 0x%lx", exit->basic, exit_name(exit->basic), exit->qualification);
}

/* L0's heartbeat (vmx/heartbeat.h): what it is for comes at the end of each exit. At 0 there would be nothing but exits. */
void handle_preemption_timer(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (vcpu->machine->heartbeat == 0)
		handle_unexpected(vcpu, exit);
	nested_write(vcpu, VMCS_PREEMPTION_TIMER_VALUE, vcpu->machine->heartbeat);
}

void handle_descriptor_tables(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!watch_ends_by_tables(vcpu))
		handle_unexpected(vcpu, exit);
}
