/* SPDX-License-Identifier: MIT */
/*
 * What must not be lost when L2's first access to a page costs a hypervisor
 * beneath an exit that L1 never hears of: timers, blocking, traps that are
 * due, events on their way. On the bare machine nothing of it happens.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define PAGES 512

/* Single pages, all the same one, so that each is a translation of its own. */
static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);
	u64 page = (u64)page_alloc();

	for (u64 i = 0; i < PAGES; i++)
		*ept_entry(vm->ept, TEST_ADDRESS + i * PAGE_SIZE, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm->gpr[RSI] = TEST_ADDRESS;
	return vm;
}

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

/* Expect: the timer goes on where it was; begun anew at each miss it would never end this walk. */
static void timer(void)
{
	struct vm *vm = create(l2_walk_pages);

	for (u32 i = 0; i < 3; i++) {
		vm_restart(vm, l2_walk_pages);
		vm->gpr[RSI] = TEST_ADDRESS;
		vm->gpr[RCX] = PAGES;
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 1000);
		invept(1, vmread(EPT_POINTER));
		vm_run(vm);
		say("%s part=%u value=%lu; ", exit_reason_name(vm->basic_reason), vm->gpr[RBX] > 0 && vm->gpr[RBX] < PAGES,
		    vmread(VMX_PREEMPTION_TIMER_VALUE));
	}
}

static bool has_monitor_trap_flag(void)
{
	return proc_offers(PROC_MONITOR_TRAP_FLAG);
}

/* Expect: after each instruction, neither before it is done nor one late. */
static void monitor_trap_flag(void)
{
	struct vm *vm = create(l2_read_three);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	for (u32 i = 0; i < 3; i++) {
		vm_step(vm);
		say("; ");
	}
}

/* Expect: the window opens behind the instruction that STI and MOV to SS protect. */
static void blocking(void)
{
	struct vm *vm = create(l2_sti_read);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_step(vm);
	vm_restart(vm, l2_mov_ss_read);
	vm->gpr[RSI] = TEST_ADDRESS + PAGE_SIZE;
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	say("; ");
	vm_step(vm);
	vm_restart(vm, l2_read_three);
	vm->gpr[RSI] = TEST_ADDRESS + 2 * PAGE_SIZE;
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_MOV_SS);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	say("; ");
	vm_step(vm);
}

/* Expect: single-stepping L2 traps behind the access. */
static void single_step(void)
{
	struct vm *vm = create(l2_step_read);

	vm_step(vm);
	say(" qualification=%lx", vmread(EXIT_QUALIFICATION));
}

/* Expect: every kind of event arrives once, whole, though all that its delivery needs has just been dropped. */
static void events(void)
{
	static const struct {
		u32 event, error_code, length;
	} all[] = {
		{ EVENT_EXTERNAL_INTERRUPT | 0x55, 0, 0 },
		{ EVENT_NMI | VECTOR_NMI, 0, 0 },
		{ EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0 },
		{ EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_PF, 2, 0 },
		{ EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x18, 0 },
		{ EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2 },
		{ EVENT_SOFTWARE_EXCEPTION | VECTOR_BP, 0, 1 },
		{ EVENT_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, 0, 1 },
	};
	struct vm *vm = create(l2_nops);

	vmwrite(EXCEPTION_BITMAP, 0);
	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		vm_restart(vm, l2_nops);
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		invept(2, 0);
		vm_inject(all[i].event, all[i].error_code, all[i].length);
		vm_step(vm);
		say(" %lx; ", vmread(VM_ENTRY_INTERRUPTION_INFORMATION) >> 31);
		vm_skip(vm);
		vm_run(vm);
		say(vm->basic_reason == REASON_VMCALL && !vm_l2_frame() ? "" : "again! ");
	}
}

SCENARIOS(miss_scenarios,
	{ "misses.timer", timer,
	  "PREEMPTION_TIMER part=1 value=1000; PREEMPTION_TIMER part=1 value=1000; "
	  "PREEMPTION_TIMER part=1 value=1000; ", has_timer },
	{ "misses.monitor_trap_flag", monitor_trap_flag,
	  "MONITOR_TRAP_FLAG(37) rip=+3; MONITOR_TRAP_FLAG(37) rip=+10; MONITOR_TRAP_FLAG(37) rip=+17; ",
	  has_monitor_trap_flag },
	{ "misses.blocking", blocking,
	  "INTERRUPT_WINDOW(7) rip=+4; VMCALL(18) length=3 rip=+8; INTERRUPT_WINDOW(7) rip=+3", NULL },
	{ "misses.single_step", single_step,
	  "EXCEPTION_OR_NMI(0) event=0x80000301 rip=+13 qualification=0x4000", NULL },
	{ "misses.events", events,
	  "L2 took #85 from +0 rflags=0x202 0; L2 took #2 from +0 rflags=0x202 0; "
	  "L2 took #6 from +0 rflags=0x202 0; L2 took #14(2) from +0 rflags=0x202 0; "
	  "L2 took #13(0x18) from +0 rflags=0x202 0; L2 took #128 from +2 rflags=0x202 0; "
	  "L2 took #3 from +1 rflags=0x202 0; L2 took #1 from +1 rflags=0x202 0; ", NULL },
);
