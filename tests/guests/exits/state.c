/* SPDX-License-Identifier: MIT */
/*
 * Activity states at entry and exit, and what ends them: SDM "Guest Non-Register
 * State", "Interruptibility State" and "Activity State" of VM entries, "Saving
 * Non-Register State".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(nops); L2(hlt); L2(sti_hlt); L2(sti); L2(mov_ss_cpuid); L2(ud2);

#define VECTOR 0x70
#define SOON 20000

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

static bool has_shutdown(void)
{
	return has_timer() && rdmsr(IA32_VMX_MISC) & BIT(7);
}

static bool has_wait_for_sipi(void)
{
	return has_timer() && rdmsr(IA32_VMX_MISC) & BIT(8);
}

/* Entered in that state; nothing but the timer, or what is injected, ends it. */
static void rest(u64 activity, u32 event)
{
	struct vm *vm = create_free(l2_nops);

	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_ACTIVITY_STATE, activity);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, SOON);
	if (event)
		vm_inject(event, 0, 2);
	if (vm_run(vm))
		vm_say_block(vm);
	say("; ");
}

static void halted(void)
{
	rest(ACTIVITY_HLT, 0);
	rest(ACTIVITY_HLT, EVENT_EXTERNAL_INTERRUPT | 0x55);
	rest(ACTIVITY_HLT, EVENT_NMI | VECTOR_NMI);
	rest(ACTIVITY_HLT, EVENT_HARDWARE_EXCEPTION | VECTOR_DB);
	rest(ACTIVITY_HLT, EVENT_HARDWARE_EXCEPTION | 18);
}

/* Expect: no other exception, and no software interrupt. SDM "Checks on Guest Non-Register State". */
static void refused_in_hlt(void)
{
	rest(ACTIVITY_HLT, EVENT_HARDWARE_EXCEPTION | VECTOR_UD);
	rest(ACTIVITY_HLT, EVENT_SOFTWARE_INTERRUPT | 0x80);
}

static void shut_down(void)
{
	rest(ACTIVITY_SHUTDOWN, 0);
	rest(ACTIVITY_SHUTDOWN, EVENT_NMI | VECTOR_NMI);
	rest(ACTIVITY_SHUTDOWN, EVENT_HARDWARE_EXCEPTION | 18);
	rest(ACTIVITY_SHUTDOWN, EVENT_EXTERNAL_INTERRUPT | 0x55);
	rest(ACTIVITY_SHUTDOWN, EVENT_HARDWARE_EXCEPTION | VECTOR_DB);
}

static void waiting(void)
{
	rest(ACTIVITY_WAIT_FOR_SIPI, EVENT_NMI | VECTOR_NMI);
	rest(ACTIVITY_WAIT_FOR_SIPI, EVENT_EXTERNAL_INTERRUPT | 0x55);
}

/* Expect: the HLT state is saved by an exit that does not end it, and no length is owed. */
static void halts_by_itself(void)
{
	struct vm *vm = create_free(l2_hlt);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_HLT_EXITING);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, SOON);
	step(vm);
	say("; ");
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	step(vm);
}

/* Expect: HLT under STI blocking; the window that L1 asks for ends it. */
static void halts_under_sti(void)
{
	struct vm *vm = create_free(l2_sti_hlt);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_HLT_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, SOON);
	step(vm);
}

/* Expect: a real interrupt that exits ends HLT: the activity is saved as HLT. */
static void interrupt_in_hlt(void)
{
	struct vm *vm = create_free(l2_nops);

	traps_reset();
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	apic_self_interrupt(VECTOR);
	step(vm);
	open_interrupt_window();
	say("; taken=%u; ", traps_count(VECTOR));
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	step(vm);
}

/* Expect: interrupts exit with IF clear, too, and under STI and MOV SS blocking one instruction later or at once. */
static void interrupt_blocked(void)
{
	static const u64 states[] = { 0, BLOCKING_BY_STI, BLOCKING_BY_MOV_SS, BLOCKING_BY_NMI };

	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		struct vm *vm = create_free(l2_nops);

		traps_reset();
		vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
		vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
		vm_set(GUEST_RFLAGS, i ? RFLAGS_IF : 0);
		vmwrite(GUEST_INTERRUPTIBILITY_STATE, states[i]);
		apic_self_interrupt(VECTOR);
		step(vm);
		apic_end_of_interrupt();
		say("; ");
	}
	__asm__ volatile("int $0x99" : : : "memory"); /* ends L1's blocking by NMI */
}

/* Expect: what blocks is saved when the exit is a fault, and gone one instruction later. */
static void blocking_saved(void)
{
	static const u64 states[] = { BLOCKING_BY_STI, BLOCKING_BY_MOV_SS };

	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		struct vm *vm = vm_create(l2_ud2);

		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vmwrite(GUEST_INTERRUPTIBILITY_STATE, states[i]);
		step(vm);
		say("; ");
		vm_restart(vm, l2_nops);
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vmwrite(GUEST_INTERRUPTIBILITY_STATE, states[i]);
		step(vm);
		say("; ");
	}
}

SCENARIOS(state_scenarios,
	{ "state.halted", halted, NULL, has_timer },
	{ "state.refused_in_hlt", refused_in_hlt,
	  "INVALID_GUEST_STATE(33) reason_high=0x8000 q=0; INVALID_GUEST_STATE(33) reason_high=0x8000 q=0; ", has_timer },
	{ "state.shutdown", shut_down, NULL, has_shutdown },
	{ "state.wait_for_sipi", waiting, NULL, has_wait_for_sipi },
	{ "state.halts", halts_by_itself, NULL, has_timer },
	{ "state.halts_under_sti", halts_under_sti, NULL, has_timer },
	{ "state.interrupt_in_hlt", interrupt_in_hlt, NULL, NULL },
	{ "state.interrupt_blocked", interrupt_blocked, NULL, NULL },
	{ "state.blocking_saved", blocking_saved, NULL, NULL },
);
