/* SPDX-License-Identifier: MIT */
/*
 * Windows, the preemption timer, the monitor trap flag and the HLT state.
 * SDM "Interrupt-Window Exiting and Virtual-Interrupt Delivery",
 * "NMI-Window Exiting", "VMX-Preemption Timer", "Monitor Trap Flag".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* Expect: at once with IF set, else behind the instruction after STI. */
static void interrupt_window(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_step(vm);
	vm_restart(vm, l2_sti_nops);
	say("; ");
	vm_step(vm);
	say(" interruptibility=%lx; ", vmread(GUEST_INTERRUPTIBILITY_STATE));
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_step(vm);
}

/* Expect: MOV to SS blocks one instruction more. */
static void interrupt_window_mov_ss(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_MOV_SS);
	vm_step(vm);
}

static bool has_virtual_nmis(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

/* Expect: the window opens when nothing blocks NMIs, else after L2's IRET. */
static void nmi_window(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
	vm_step(vm);
	vm_restart(vm, l2_iret_nops);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	say("; ");
	vm_step(vm);
	say(" interruptibility=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
}

/* Expect: an injected NMI blocks virtual NMIs until IRET. */
static void virtual_nmi_blocking(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
	vm_step(vm);
	say(" interruptibility=%lx; ", vmread(GUEST_INTERRUPTIBILITY_STATE));
	vm_skip(vm);
	vm_step(vm);
	say(" interruptibility=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
}

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

static void preemption_timer(void)
{
	struct vm *vm = vm_create(l2_spin);

	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 10000);
	vm_run(vm);
	say("%s ran=%u", exit_reason_name(vm->basic_reason), vm->gpr[RBX] > 10);
}

/* Expect: zero ends L2 before its first instruction. */
static void preemption_timer_zero(void)
{
	struct vm *vm = vm_create(l2_spin);

	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	vm_step(vm);
	say(" rbx=%lu", vm->gpr[RBX]);
}

static bool has_timer_save(void)
{
	return has_timer() && exit_offers(EXIT_SAVE_PREEMPTION_TIMER);
}

/* Expect: saved with the control, untouched without it, zero when it ran out. */
static void preemption_timer_save(void)
{
	struct vm *vm = vm_create(l2_nops);
	u64 value;

	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 1000000);
	vm_run(vm);
	say("unsaved=%lu", vmread(VMX_PREEMPTION_TIMER_VALUE));
	vm_restart(vm, l2_nops);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER);
	vm_run(vm);
	value = vmread(VMX_PREEMPTION_TIMER_VALUE);
	say(" saved_is_less=%u", value > 500000 && value <= 1000000);
	vm_restart(vm, l2_spin);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 5000);
	vm_run(vm);
	say(" %s value=%lu", exit_reason_name(vm->basic_reason), vmread(VMX_PREEMPTION_TIMER_VALUE));
}

static bool has_monitor_trap_flag(void)
{
	return proc_offers(PROC_MONITOR_TRAP_FLAG);
}

/* Expect: an exit after each instruction. */
static void monitor_trap_flag(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	for (u32 i = 0; i < 3; i++) {
		vm_step(vm);
		say("; ");
	}
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	vm_step(vm);
}

/* Expect: with an injected event, the exit comes before the handler's first instruction. */
static void monitor_trap_flag_event(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	vm_inject(EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0);
	vm_run(vm);
	say("%s at_handler=%u", exit_reason_name(vm->basic_reason),
	    vmread(GUEST_RIP) == (u64)l2_stubs + VECTOR_UD * L2_STUB_SIZE);
}

/* Expect: an injected "pending MTF" exits at once. */
static void monitor_trap_flag_pending(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_inject(EVENT_OTHER, 0, 0);
	vm_step(vm);
	say("; ");
	vm_step(vm);
}

/* Expect: a halted L2 is in the HLT state when the timer ends it. */
static void halted(void)
{
	struct vm *vm = vm_create(l2_sti_hlt);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_HLT_EXITING);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 20000);
	vm_step(vm);
	say(" activity=%lu", vmread(GUEST_ACTIVITY_STATE));
}

SCENARIOS(window_scenarios,
	{ "window.interrupt", interrupt_window,
	  "INTERRUPT_WINDOW(7) rip=+0; INTERRUPT_WINDOW(7) rip=+2 interruptibility=0; "
	  "VMCALL(18) length=3 rip=+3", NULL },
	{ "window.interrupt_mov_ss", interrupt_window_mov_ss,
	  "INTERRUPT_WINDOW(7) rip=+1", NULL },
	{ "window.nmi", nmi_window,
	  "NMI_WINDOW(8) rip=+0; NMI_WINDOW(8) rip=+21 interruptibility=0", has_virtual_nmis },
	{ "window.virtual_nmi_blocking", virtual_nmi_blocking,
	  "L2 took #2 from +0 rflags=2 interruptibility=8; "
	  "VMCALL(18) length=3 rip=+3 interruptibility=0", has_virtual_nmis },
	{ "timer", preemption_timer, "PREEMPTION_TIMER ran=1", has_timer },
	{ "timer.zero", preemption_timer_zero, "PREEMPTION_TIMER(52) rip=+0 rbx=0", has_timer },
	{ "timer.save", preemption_timer_save,
	  "unsaved=1000000 saved_is_less=1 PREEMPTION_TIMER value=0", has_timer_save },
	{ "mtf", monitor_trap_flag,
	  "MONITOR_TRAP_FLAG(37) rip=+1; MONITOR_TRAP_FLAG(37) rip=+2; "
	  "MONITOR_TRAP_FLAG(37) rip=+3; VMCALL(18) length=3 rip=+3", has_monitor_trap_flag },
	{ "mtf.event", monitor_trap_flag_event, "MONITOR_TRAP_FLAG at_handler=1", has_monitor_trap_flag },
	{ "mtf.pending", monitor_trap_flag_pending,
	  "MONITOR_TRAP_FLAG(37) rip=+0; VMCALL(18) length=3 rip=+3", has_monitor_trap_flag },
	{ "halted", halted, "PREEMPTION_TIMER(52) rip=+2 activity=1", has_timer },
);
