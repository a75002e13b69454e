/* SPDX-License-Identifier: MIT */
/*
 * One NMI from another processor at a time, while the target runs L2 with every
 * setting of NMI exiting and virtual NMIs: where it arrives, and what blocks it. SDM "Other Causes of VM Exits",
 * "Changes to Instruction Behavior in VMX Non-Root Operation", "Updating Non-Register State".
 */
#include "tests/guests/smp/signals.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define VIRTUAL (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)

static bool has_virtual_nmis(void)
{
	return has_others() && pin_offers(VIRTUAL);
}

/* One to L2, the other when the target has come to its second round. */
static void send_two(void (*target)(void *))
{
	signals_reset();
	cpu_ask(TARGET, target, NULL);
	signals_await_l2(1);
	cpu_send_nmi(TARGET);
	signals_await(2);
	cpu_send_nmi(TARGET);
	signals_settle();
	signals_answer(2);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

/* How many came to L1 since `before`, once its IRET has ended the blocking. */
static void say_after_iret(u32 before)
{
	nmi_unblock();
	say(" after_iret=%u", traps_count(VECTOR_NMI) - before);
}

/* --- one NMI ---------------------------------------------------------------------------- */

static void take_exits(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_spin);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	signals.round = 1;
	vm_run(vm);
	say("reason=%u event=%lx in_l1=%u", vm->basic_reason, vmread(VM_EXIT_INTERRUPTION_INFORMATION), traps_count(VECTOR_NMI) - before);
	signals_meet(2);
	say(" blocked=%u", traps_count(VECTOR_NMI) == before);
	say_after_iret(before);
}

/* Expect: the exit is all that the first NMI does, and it blocks the second until L1's IRET. */
static void exits(void)
{
	send_two(take_exits);
}

static void let_l2_take(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_spin);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vmwrite(EXCEPTION_BITMAP, 0);
	signals.round = 1;
	for (u32 i = 1; i <= 2; i++) {
		vm_run(vm);
		say("L2 took #%lu", vm_l2_frame() ? vm_l2_frame()->vector : 999);
		say(" interruptibility=%lx; ", vmread(GUEST_INTERRUPTIBILITY_STATE));
		vm_skip(vm);
		if (i == 1)
			signals_meet(2);
	}
	say("in_l1=%u", traps_count(VECTOR_NMI) - before);
	nmi_unblock();
}

/* Expect: L2's own handler gets both, the second after its IRET. */
static void without_exiting(void)
{
	send_two(let_l2_take);
}

static void block_and_run(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_irets);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 3000000);
	signals.round = 1;
	vm_run(vm);
	say("%s interruptibility=%lx in_l1=%u", exit_reason_name(vm->basic_reason), vmread(GUEST_INTERRUPTIBILITY_STATE),
	    traps_count(VECTOR_NMI) - before);
	say_after_iret(before);
}

/* Expect: with NMI exiting and without virtual NMIs, L2's IRETs unblock nothing: the NMI waits for L1's. */
static void blocked_with_exiting(void)
{
	signals_reset();
	cpu_ask(TARGET, block_and_run, NULL);
	signals_await_l2(1);
	cpu_send_nmi(TARGET);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

static void enter_with_nmi(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	/* Blocked in L1 by the exit of an NMI of its own, so that the next one waits for the entry. */
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	vmwrite(GUEST_RIP, (u64)l2_signal_spin);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	signals.round = 1;
	vm_run(vm);
	vm_restart(vm, l2_signal_once);
	signals_meet(2);
	vm_step(vm);
	say(" rbx=%lu; ", vm->gpr[RBX]);
	vm_step(vm);
	say(" in_l1=%u", traps_count(VECTOR_NMI) - before);
	say_after_iret(before);
}

/* Expect: blocked in L1, pending; the entry unblocks, and the NMI exits before L2's first instruction. */
static void pending_at_entry(void)
{
	send_two(enter_with_nmi);
}

static void be_refused_blocked(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_spin);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	signals.round = 1;
	vm_run(vm);
	signals_meet(2);
	vmwrite(GUEST_RFLAGS, 0);
	if (vm_enter(vm, true))
		scenario_abort("VMfail");
	say("reason=%lx in_l1=%u", vmread(EXIT_REASON), traps_count(VECTOR_NMI) - before);
	say_after_iret(before);
}

/* Expect: an entry that fails on guest state ends no blocking: the second NMI does not nest in the first one's handler. */
static void refused_when_blocked(void)
{
	send_two(be_refused_blocked);
}

/* --- virtual NMIs -------------------------------------------------------------------------- */

static void run_with_virtual_blocking(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_spin);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, VIRTUAL);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	signals.round = 1;
	vm_run(vm);
	say("reason=%u event=%lx interruptibility=%lx; ", vm->basic_reason, vmread(VM_EXIT_INTERRUPTION_INFORMATION),
	    vmread(GUEST_INTERRUPTIBILITY_STATE));
	/* The next comes in L1, blocked there by that exit, and is pending at the entry. */
	signals_meet(2);
	vm_restart(vm, l2_signal_once);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	vm_step(vm);
	say(" rbx=%lu interruptibility=%lx in_l1=%u", vm->gpr[RBX], vmread(GUEST_INTERRUPTIBILITY_STATE), traps_count(VECTOR_NMI) - before);
	say_after_iret(before);
}

/* Expect: virtual-NMI blocking does not hold back a physical NMI, nor does the exit change it. */
static void virtual_blocking(void)
{
	send_two(run_with_virtual_blocking);
}

static void open_window_with_nmi(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_spin);
	u32 before = traps_count(VECTOR_NMI);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, VIRTUAL);
	signals.round = 1;
	vm_run(vm);
	signals_meet(2);
	vm_restart(vm, l2_signal_once);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
	vm_step(vm);
	say(" in_l1=%u; ", traps_count(VECTOR_NMI) - before);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
	vm_step(vm);
	nmi_unblock();
	say(" in_l1=%u", traps_count(VECTOR_NMI) - before);
}

/* Expect: L1's NMI window goes before the NMI, which then is L1's: its entry had unblocked it. */
static void window_and_nmi(void)
{
	send_two(open_window_with_nmi);
}

SCENARIOS(nmi_scenarios,
	{ "nmi.exits", exits, "reason=0 event=0x80000202 in_l1=0 blocked=1 after_iret=1", has_others },
	{ "nmi.without_exiting", without_exiting,
	  "L2 took #2 interruptibility=8; L2 took #2 interruptibility=8; in_l1=0", has_others },
	{ "nmi.blocked_with_exiting", blocked_with_exiting, "PREEMPTION_TIMER interruptibility=8 in_l1=0 after_iret=1", has_others },
	{ "nmi.pending_at_entry", pending_at_entry,
	  "EXCEPTION_OR_NMI(0) event=0x80000202 rip=+0 rbx=0; VMCALL(18) length=3 rip=+3 in_l1=0 after_iret=0", has_others },
	{ "nmi.refused_when_blocked", refused_when_blocked, "reason=0x80000021 in_l1=0 after_iret=1", has_others },
	{ "nmi.virtual_blocking", virtual_blocking,
	  "reason=0 event=0x80000202 interruptibility=8; "
	  "EXCEPTION_OR_NMI(0) event=0x80000202 rip=+0 rbx=0 interruptibility=8 in_l1=0 after_iret=0", has_virtual_nmis },
	{ "nmi.window_and_nmi", window_and_nmi,
	  "NMI_WINDOW(8) rip=+0 in_l1=1; VMCALL(18) length=3 rip=+3 in_l1=1", has_virtual_nmis },
);
