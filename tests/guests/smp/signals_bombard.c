/* SPDX-License-Identifier: MIT */
/*
 * Many NMIs from another processor, at every moment of what exits to a hypervisor
 * below: nested exits, VM entries with events and MSR lists, root operation. Each must
 * arrive exactly once, however it is to arrive. SDM "Nonmaskable Interrupt (NMI)".
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
#define BOMBARDMENT 100
#define ONCE_MORE_TICKS 30000 /* for a second arrival to show */

static bool has_virtual_nmis(void)
{
	return has_others() && pin_offers(VIRTUAL);
}

static u32 nmis_of_target(void)
{
	return traps_count_on(TARGET, VECTOR_NMI);
}

/* The target counts every NMI that it meets in any way: has it met this one, and once? */
static bool send_one(u32 number)
{
	u64 before = signals.seen + nmis_of_target();

	delay(number * 53 % 4001);
	cpu_send_nmi(TARGET);
	WAIT_UNTIL(signals.seen + nmis_of_target() != before || cpu_is_done(TARGET), "NMI");
	delay(ONCE_MORE_TICKS);
	return signals.seen + nmis_of_target() == before + 1;
}

/* The next is sent when that has happened. */
static void bombard(void (*run)(void *), void *argument)
{
	u32 once = 0;

	signals_reset();
	cpu_ask(TARGET, run, argument);
	signals_await(1);
	for (u32 i = 1; i <= BOMBARDMENT; i++)
		once += send_one(i);
	signals.finished = 1;
	cpu_wait(TARGET);
	say("%seach of %u %s", cpu_said(TARGET), BOMBARDMENT, once == BOMBARDMENT ? "once" : "");
	if (once != BOMBARDMENT)
		say("%u times", once);
}

struct setting {
	u64 pin, interruptibility;
};

/* L2 exits for CPUID again and again; an NMI exits, or is L2's own, or L1's once its IRET unblocks them. */
static void run_cpuid_exits(void *argument)
{
	const struct setting *setting = argument;
	struct vm *vm = signals_prepare(l2_signal_cpuid);

	vm_set(PIN_BASED_CONTROLS, setting->pin);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, setting->interruptibility);
	vmwrite(EXCEPTION_BITMAP, 0);
	signals.round = 1;
	while (!signals.finished) {
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 20000000);
		if (!vm_run(vm))
			scenario_abort(" refused");
		if (vm->basic_reason == REASON_EXCEPTION_OR_NMI) {
			signals.seen++;
			nmi_unblock();
			continue;
		}
		if (vm_l2_frame())
			signals.seen++;
		else if (vm->basic_reason != REASON_CPUID)
			scenario_abort(" reason %u", vm->basic_reason);
		vm_skip(vm);
		if (setting->interruptibility)
			nmi_unblock();
	}
}

static void bombard_exits(void)
{
	bombard(run_cpuid_exits, &(struct setting){ PIN_NMI_EXITING, 0 });
}

static void bombard_l2(void)
{
	bombard(run_cpuid_exits, &(struct setting){ 0, 0 });
}

/* Expect: virtual-NMI blocking holds back none. */
static void bombard_virtually_blocked(void)
{
	bombard(run_cpuid_exits, &(struct setting){ VIRTUAL, BLOCKING_BY_NMI });
}

/* Expect: blocked in L2 for good, each is L1's when that unblocks them. */
static void bombard_blocked(void)
{
	bombard(run_cpuid_exits, &(struct setting){ PIN_NMI_EXITING, BLOCKING_BY_NMI });
}

static u64 *msr_list(void)
{
	u64 *list = page_alloc();

	list[0] = IA32_KERNEL_GS_BASE;
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)list);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
	return &list[1];
}

/*
 * Each entry loads another value into an MSR and injects a software interrupt, of which L2's handler makes
 * an exit. An NMI may exit between the two, but not before the event is delivered and the MSR loaded.
 */
static void inject_at_each_entry(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);
	volatile u64 *loaded = msr_list();
	u32 injected = 0, handled = 0, wrong = 0;

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	signals.round = 1;
	while (!signals.finished) {
		*loaded = injected + 1;
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 20000000);
		vmwrite(GUEST_RIP, (u64)l2_signal_once);
		vmwrite(GUEST_RSP, vm->stack_top);
		vm_inject(EVENT_SOFTWARE_INTERRUPT | VECTOR_UD, 0, 2);
		injected++;
		do {
			if (!vm_run(vm))
				scenario_abort(" refused");
			wrong += rdmsr(IA32_KERNEL_GS_BASE) != *loaded || (vmread(IDT_VECTORING_INFORMATION) & EVENT_VALID);
			if (vm->basic_reason == REASON_EXCEPTION_OR_NMI) {
				signals.seen++;
				nmi_unblock();
			}
		} while (vm->basic_reason == REASON_EXCEPTION_OR_NMI);
		handled += vm_l2_frame() && vm_l2_frame()->vector == VECTOR_UD && vm_l2_frame()->rip == (u64)l2_signal_once + 2;
	}
	if (injected != handled || wrong)
		say("injected=%u handled=%u wrong=%u ", injected, handled, wrong);
	wrmsr(IA32_KERNEL_GS_BASE, 0);
}

static void bombard_injections(void)
{
	bombard(inject_at_each_entry, NULL);
}

/* As hypervisors do it: the NMI exits and is injected, virtually blocked until L2's IRET; the window tells when that is over. */
static void forward_to_l2(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_cpuid);
	u32 delivered = 0, exited = 0, inside = 0;

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, VIRTUAL);
	vmwrite(EXCEPTION_BITMAP, 0);
	signals.round = 1;
	while (!signals.finished || inside) {
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 20000000);
		if (!vm_run(vm))
			scenario_abort(" refused");
		switch (vm->basic_reason) {
		case REASON_EXCEPTION_OR_NMI:
			exited++;
			vm_set(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
			inside = 1;
			nmi_unblock();
			continue;
		case REASON_NMI_WINDOW:
			vm_clear(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
			vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
			continue;
		default:
			break;
		}
		if (vm_l2_frame()) {
			delivered++;
			inside = 0;
			signals.seen++;
		}
		vm_skip(vm);
	}
	say(exited == delivered ? "" : "exited=%u delivered=%u ", exited, delivered);
}

static void bombard_and_forward(void)
{
	bombard(forward_to_l2, NULL);
}

/* No L2 at all: VMX instructions, CPUID, VMXOFF and VMXON. */
static void work_in_root(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);
	u64 pointer = 0, value = 0;

	(void)unused;
	vmclear(vm->vmcs);
	signals.round = 1;
	for (u32 i = 0; !signals.finished; i++) {
		op_vmptrld((u64)&vm->vmcs, 0);
		op_vmread(GUEST_LDTR_BASE, (u64)&value);
		op_vmwrite(GUEST_LDTR_BASE, value);
		op_vmptrst((u64)&pointer, 0);
		op_vmclear((u64)&vm->vmcs, 0);
		cpuid(0, 0);
		if (i % 16 == 0) {
			vmx_off();
			vmx_on();
		}
	}
}

static void bombard_root(void)
{
	bombard(work_in_root, NULL);
}

/* L2s that leave at once, and now and then an entry that fails: each is a line of a hypervisor below. */
static void work_with_refusals(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);

	(void)unused;
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	signals.round = 1;
	for (u32 i = 0; !signals.finished; i++) {
		vmwrite(GUEST_RFLAGS, i % 40 ? RFLAGS_FIXED : 0);
		vmwrite(CR3_TARGET_COUNT, i % 56 ? 0 : 5);
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, i % 7 * 1000);
		vmwrite(GUEST_INTERRUPTIBILITY_STATE, i % 11 ? 0 : BLOCKING_BY_MOV_SS);
		vm->basic_reason = 0xffff;
		if (vm_enter(vm, vm->launched) == 0) {
			vm->basic_reason = (u32)vmread(EXIT_REASON);
			vm->launched |= !(vm->basic_reason & REASON_ENTRY_FAILURE);
		}
		if (vm->basic_reason == REASON_EXCEPTION_OR_NMI) {
			signals.seen++;
			nmi_unblock();
		} else if (vm->basic_reason == REASON_VMCALL) {
			vmwrite(GUEST_RIP, (u64)l2_signal_once);
		}
	}
}

static void bombard_refusals(void)
{
	bombard(work_with_refusals, NULL);
}

/* --- an NMI while an entry is on its way --------------------------------------------------- */

#define ENTRIES 60

/* How the entry is prepared; true: L2 takes an event of L1's then, and no other. */
typedef bool prepare_entry(u32 number);

static bool be_refused_half_of_the_time(u32 number)
{
	vmwrite(GUEST_RFLAGS, number % 2 ? 0 : RFLAGS_FIXED);
	return false;
}

/* As an exit during the delivery of an NMI leaves L2, which gets it once more. */
static bool inject_again(u32 number)
{
	(void)number;
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
	return true;
}

static void enter_repeatedly(void *argument)
{
	prepare_entry *const *prepare = argument;
	struct vm *vm = signals_prepare(l2_signal_once);
	u32 refused = 0, injected = 0, taken = 0;

	vmwrite(EXCEPTION_BITMAP, 0);
	vm_run(vm);
	for (u32 i = 1; i <= ENTRIES; i++) {
		bool injects, takes;

		vm_restart(vm, l2_signal_once);
		injects = (*prepare)(i);
		signals.round = i;
		if (vm_enter(vm, true))
			scenario_abort("VMfail");
		refused += (vmread(EXIT_REASON) & REASON_ENTRY_FAILURE) != 0;
		takes = vm_l2_frame() && vm_l2_frame()->vector == VECTOR_NMI;
		injected += injects;
		taken += injects && takes;
		signals.seen += !injects && takes;
		nmi_unblock();
		WAIT_UNTIL(signals.go >= i, "the boot processor");
	}
	say("refused=%u injected=%u taken=%u", refused, injected, taken);
}

static void meet_entries(prepare_entry *prepare)
{
	u32 once = 0;

	signals_reset();
	cpu_ask(TARGET, enter_repeatedly, &prepare);
	for (u32 i = 1; i <= ENTRIES; i++) {
		WAIT_UNTIL(signals.round >= i || cpu_is_done(TARGET), "the target");
		once += send_one(i);
		signals_answer(i);
	}
	cpu_wait(TARGET);
	say("%s once=%u", cpu_said(TARGET), once);
}

/* Expect: an entry that fails has delivered nothing, so the NMI is L1's. L2 takes its NMIs itself. */
static void meet_refusals(void)
{
	meet_entries(be_refused_half_of_the_time);
}

/* Expect: blocked already and injecting an NMI is a state to enter with, whatever is pending. */
static void meet_injections(void)
{
	meet_entries(inject_again);
}

SCENARIOS(bombard_scenarios,
	{ "nmi.bombard.exits", bombard_exits, "each of 100 once", has_others },
	{ "nmi.bombard.l2", bombard_l2, "each of 100 once", has_others },
	{ "nmi.bombard.forward", bombard_and_forward, "each of 100 once", has_virtual_nmis },
	{ "nmi.bombard.root", bombard_root, "each of 100 once", has_others },
	{ "nmi.bombard.refusals", bombard_refusals, "each of 100 once", has_others },
	{ "nmi.bombard.virtually_blocked", bombard_virtually_blocked, "each of 100 once", has_virtual_nmis },
	{ "nmi.bombard.blocked", bombard_blocked, "each of 100 once", has_others },
	{ "nmi.entry.refused", meet_refusals, "refused=30 injected=0 taken=0 once=60", has_others },
	{ "nmi.entry.injections", meet_injections, "refused=0 injected=60 taken=60 once=60", has_others },
	{ "nmi.bombard.injections", bombard_injections, "each of 100 once", has_others },
);
