/* SPDX-License-Identifier: MIT */
/*
 * An INIT that comes in VMX root operation waits: for VMXOFF, or for the next
 * VM entry, which it ends right after event injection and before any
 * instruction. SDM "Restrictions on VMX Operation", "Priority Among Concurrent
 * Events", "Special Features of VM Entry".
 */
#include "tests/guests/smp/signals.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SIPI_VECTOR 0x77
#define LOADED_VALUE 0x123456789ull
#define TIMER_VALUE 100000

/* What is special about the entry: before it, and what to say after the exit. */
struct special {
	void (*prepare)(struct vm *vm);
	void (*after)(struct vm *vm);
};

/* On the target. The INIT comes while it waits; the first entry meets it, the second goes on. */
static void enter_twice(void *argument)
{
	const struct special *special = argument;
	struct vm *vm = signals_prepare(l2_signal_once);

	if (special->prepare)
		special->prepare(vm);
	signals_meet(1);
	vm_step(vm);
	say(" rbx=%lu", vm->gpr[RBX]);
	if (special->after)
		special->after(vm);
	say("; ");
	vm_step(vm);
	vmclear(vm->vmcs);
	vmx_off();
}

static void enter_with_init(struct special special)
{
	signals_reset();
	cpu_ask(TARGET, enter_twice, &special);
	signals_await(1);
	cpu_send_init(TARGET);
	signals_settle();
	signals_answer(1);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

static void at_launch(void)
{
	enter_with_init((struct special){ NULL, NULL });
}

static void run_once_before(struct vm *vm)
{
	vm_run(vm);
	vm_restart(vm, l2_signal_once);
	vm->gpr[RSI] = (u64)signals.counter;
}

static void at_resume(void)
{
	enter_with_init((struct special){ run_once_before, NULL });
}

/* --- events of the entry ------------------------------------------------------------ */

static void inject_exception(struct vm *vm)
{
	(void)vm;
	vmwrite(EXCEPTION_BITMAP, 0);
	vm_inject(EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0);
}

static void inject_software_interrupt(struct vm *vm)
{
	(void)vm;
	vm_inject(EVENT_SOFTWARE_INTERRUPT | VECTOR_UD, 0, 2);
}

static void say_handler(struct vm *vm)
{
	(void)vm;
	say(" at_handler=%u valid=%u", vmread(GUEST_RIP) == (u64)l2_stubs + VECTOR_UD * L2_STUB_SIZE,
	    !!(vmread(VM_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID));
}

static void with_exception(void)
{
	enter_with_init((struct special){ inject_exception, say_handler });
}

static void with_software_interrupt(void)
{
	enter_with_init((struct special){ inject_software_interrupt, say_handler });
}

/* --- what the entry loads, and what it leaves ---------------------------------------- */

static void load_an_msr(struct vm *vm)
{
	u64 *list = page_alloc();

	(void)vm;
	list[0] = IA32_KERNEL_GS_BASE;
	list[1] = LOADED_VALUE;
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)list);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
}

static void say_msr(struct vm *vm)
{
	(void)vm;
	say(" loaded=%u", rdmsr(IA32_KERNEL_GS_BASE) == LOADED_VALUE);
	wrmsr(IA32_KERNEL_GS_BASE, 0);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
}

static void with_msr_list(void)
{
	enter_with_init((struct special){ load_an_msr, say_msr });
}

static void block_by_sti(struct vm *vm)
{
	(void)vm;
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_STI);
}

static void say_interruptibility(struct vm *vm)
{
	(void)vm;
	say(" interruptibility=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
}

static void with_blocking(void)
{
	enter_with_init((struct special){ block_by_sti, say_interruptibility });
}

static void step_is_due(struct vm *vm)
{
	(void)vm;
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(14));
}

static void say_pending(struct vm *vm)
{
	(void)vm;
	say(" pending=%lx", vmread(GUEST_PENDING_DEBUG_EXCEPTIONS));
}

/* Expect: INIT goes before the debug trap, which is due afterwards. */
static void with_debug_trap(void)
{
	enter_with_init((struct special){ step_is_due, say_pending });
}

static bool has_monitor_trap_flag(void)
{
	return has_others() && proc_offers(PROC_MONITOR_TRAP_FLAG);
}

static void trap_each(struct vm *vm)
{
	(void)vm;
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
}

static void with_monitor_trap_flag(void)
{
	enter_with_init((struct special){ trap_each, NULL });
}

static bool has_timer(void)
{
	return has_others() && pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER) && exit_offers(EXIT_SAVE_PREEMPTION_TIMER);
}

static void save_timer(struct vm *vm)
{
	(void)vm;
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, TIMER_VALUE);
}

static void say_timer(struct vm *vm)
{
	u64 value = vmread(VMX_PREEMPTION_TIMER_VALUE);

	(void)vm;
	say(" timer_kept=%u", value > TIMER_VALUE / 2 && value <= TIMER_VALUE);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
}

/* Expect: L1's timer is not touched; when it runs out L1 hears of it. */
static void with_timer(void)
{
	enter_with_init((struct special){ save_timer, say_timer });
}

static void timer_at_zero(struct vm *vm)
{
	(void)vm;
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
}

static void with_timer_at_zero(void)
{
	enter_with_init((struct special){ timer_at_zero, NULL });
}

/* --- entries that fail, and a state that blocks -------------------------------------- */

static void fail_before_entering(void *launched)
{
	struct vm *vm = signals_prepare(l2_signal_once);

	if (launched)
		run_once_before(vm);
	signals_meet(1);
	vmwrite(CR3_TARGET_COUNT, 5);
	vm_run(vm);
	vmwrite(CR3_TARGET_COUNT, 0);
	say("; ");
	vmwrite(GUEST_RFLAGS, 0);
	vm_step(vm);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
	say("; ");
	vm_step(vm);
	say("; ");
	vm_step(vm);
}

/* Expect: neither VMfail nor an entry failure uses the INIT up. */
static void try_failed_entries(void *launched)
{
	signals_reset();
	cpu_ask(TARGET, fail_before_entering, launched);
	signals_await(1);
	cpu_send_init(TARGET);
	signals_settle();
	signals_answer(1);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

static void after_failed_launch(void)
{
	try_failed_entries(NULL);
}

static void after_failed_resume(void)
{
	try_failed_entries(&signals);
}

static void wait_then_run(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);

	(void)unused;
	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
	signals_meet(1);
	signals.round = 2;
	vm_step(vm);
	nmi_unblock();
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	say("; ");
	vm_step(vm);
	say("; ");
	vm_step(vm);
}

/* Expect: waiting for SIPI, L2 blocks INIT, too. */
static void in_wait_for_sipi(void)
{
	signals_reset();
	cpu_ask(TARGET, wait_then_run, NULL);
	signals_await(1);
	cpu_send_init(TARGET);
	signals_settle();
	signals_answer(1);
	signals_await(2);
	cpu_send(TARGET, ICR_SIPI | ICR_ASSERT | SIPI_VECTOR);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

/* --- VMXOFF --------------------------------------------------------------------------- */

/* Where the INIT is lost the target runs on, and must not be waited for. */
static void run_on(void)
{
	while (!signals.finished)
		__builtin_ia32_pause();
}

static void restart_unless(bool runs_on)
{
	signals.finished = 1;
	if (runs_on)
		return;
	cpu_start_again(TARGET);
	say(" started");
}

static void leave_vmx(void *unused)
{
	(void)unused;
	vmx_on();
	signals_meet(1);
	signals.seen = 1;
	vmx_off();
	signals.seen = 2;
	run_on();
}

static void await_its_end(u32 rounds)
{
	for (u32 i = 0; i < rounds; i++)
		signals_settle();
}

/* Expect: nothing happens in VMX root operation; the instruction after VMXOFF is not executed. */
static void at_vmxoff(void)
{
	signals_reset();
	cpu_ask(TARGET, leave_vmx, NULL);
	signals_await(1);
	cpu_send_init(TARGET);
	signals_settle();
	say("runs=%u", !cpu_is_done(TARGET) && signals.round == 1);
	signals_answer(1);
	await_its_end(4);
	say(" reached=%lu", signals.seen);
	restart_unless(signals.seen == 2);
}

/* Instructions that exit to a hypervisor below, one after the other, until all is over. */
static void loop_of_vmx_instructions(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);
	u64 pointer = 0, value = 0;

	(void)unused;
	signals.round = 1;
	while (!signals.go) {
		op_vmptrst((u64)&pointer, 0);
		op_vmread(GUEST_LDTR_BASE, (u64)&value);
		op_vmwrite(GUEST_LDTR_BASE, value + 1);
		op_vmclear((u64)&pointer, 0);
		op_vmptrld((u64)&vm->vmcs, 0);
		signals.seen++;
		/* Where every VMX instruction is a hypervisor's work, the emulator loses what comes meanwhile. */
		for (u32 i = 0; i < 1000; i++)
			__builtin_ia32_pause();
	}
	vmx_off();
	signals.seen = 0;
	run_on();
}

/* Expect: a storm of INITs changes nothing before VMXOFF, and is one INIT then. */
static void storm_in_root(void)
{
	u64 seen;

	signals_reset();
	cpu_ask(TARGET, loop_of_vmx_instructions, NULL);
	signals_await(1);
	for (u32 i = 0; i < 60; i++) {
		cpu_send_init(TARGET);
		delay(500 + i * 61);
	}
	seen = signals.seen;
	signals_settle();
	say("runs=%u", signals.seen > seen);
	signals_answer(1);
	await_its_end(4);
	say(" stopped=%u", signals.seen != 0);
	restart_unless(signals.seen == 0);
}

#define GOES_ON "VMCALL(18) length=3 rip=+3"
SCENARIOS(blocked_scenarios,
	{ "init.blocked.at_launch", at_launch, "INIT(3) rip=+0 rbx=0; " GOES_ON, has_others },
	{ "init.blocked.at_resume", at_resume, "INIT(3) rip=+0 rbx=0; " GOES_ON, has_others },
	{ "init.blocked.with_exception", with_exception,
	  "INIT(3) rbx=0 at_handler=1 valid=0; L2 took #6 from +0 rflags=2", has_others },
	{ "init.blocked.with_software_interrupt", with_software_interrupt,
	  "INIT(3) rbx=0 at_handler=1 valid=0; L2 took #6 from +2 rflags=2", has_others },
	{ "init.blocked.with_msr_list", with_msr_list, "INIT(3) rip=+0 rbx=0 loaded=1; " GOES_ON, has_others },
	{ "init.blocked.with_blocking", with_blocking, "INIT(3) rip=+0 rbx=0 interruptibility=1; " GOES_ON, has_others },
	{ "init.blocked.with_debug_trap", with_debug_trap,
	  "INIT(3) rip=+0 rbx=0 pending=0x4000; EXCEPTION_OR_NMI(0) event=0x80000301 rip=+0", has_others },
	{ "init.blocked.with_monitor_trap_flag", with_monitor_trap_flag,
	  "INIT(3) rip=+0 rbx=0; MONITOR_TRAP_FLAG(37) rip=+3", has_monitor_trap_flag },
	{ "init.blocked.with_timer", with_timer, "INIT(3) rip=+0 rbx=0 timer_kept=1; PREEMPTION_TIMER(52) rip=+0", has_timer },
	{ "init.blocked.with_timer_at_zero", with_timer_at_zero, "INIT(3) rip=+0 rbx=0; PREEMPTION_TIMER(52) rip=+0", has_timer },
	{ "init.blocked.after_failed_launch", after_failed_launch,
	  "entry: VMfailValid 7; INVALID_GUEST_STATE(33) reason_high=0x8000 qualification=0 rip=+0; INIT(3) rip=+0; " GOES_ON, has_others },
	{ "init.blocked.after_failed_resume", after_failed_resume,
	  "entry: VMfailValid 7; INVALID_GUEST_STATE(33) reason_high=0x8000 qualification=0 rip=+0; INIT(3) rip=+0; " GOES_ON, has_others },
	{ "init.blocked.in_wait_for_sipi", in_wait_for_sipi,
	  "SIPI(4) qualification=0x77 rip=+0; INIT(3) rip=+0; " GOES_ON, signals_has_wait_for_sipi },
	{ "init.blocked.at_vmxoff", at_vmxoff, "runs=1 reached=1 started", has_others },
	{ "init.blocked.storm_in_root", storm_in_root, "runs=1 stopped=1 started", has_others },
);
