/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI: what they make of a processor and of its local APIC, what they
 * do to an L2, and how long VMX root operation holds an INIT back. SDM "Processor
 * Initialization", "Local APIC State After It Receives an INIT Reset", "Other Causes
 * of VM Exits", "Restrictions on VMX Operation".
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
#define IN_SERVICE 0x75
#define REQUESTED 0x86
#define REQUESTED_BELOW 0x31
#define FIRST_VECTOR 16
#define LAST_RESERVED_VECTOR 31
#define APIC_LDR 0x0d0
#define APIC_DFR 0x0e0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_LVT_ERROR 0x370
#define LVT_PERIODIC 0x20000
#define APIC_MODE 0xd00

/* --- a processor after INIT and SIPI ------------------------------------------------ */

static void dirty_registers(void *unused)
{
	(void)unused;
	__asm__ volatile("mov %0, %%cr2; mov %0, %%dr0; mov %0, %%dr3" : : "r"(0x12345678ull));
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x401ull));
}

static void registers(void)
{
	const volatile struct sipi_state *s = smp_sipi_state();

	cpu_call(TARGET, dirty_registers, NULL);
	cpu_restart(TARGET);
	say("gpr=%x", s->eax | s->ecx | s->ebx | s->esp | s->ebp | s->esi | s->edi);
	say(" cs=%u segments=%x", s->cs == smp_sipi_vector() << 8, s->ds | s->es | s->ss | s->fs | s->gs);
	say(" cr3=%x cr4=%x efer=%x", s->cr3, s->cr4, s->efer);
	say(" dr6=%x dr7=%x eflags=%x", s->dr6, s->dr7, s->eflags);
}

/* Expect: CR2 clear, the processor's signature, and the caches as they were. */
static void control_registers(void)
{
	const volatile struct sipi_state *s = smp_sipi_state();

	cpu_call(TARGET, dirty_registers, NULL);
	cpu_restart(TARGET);
	say("edx=%u cr0=%x cr2=%x", s->edx == cpuid(1, 0).eax, s->cr0, s->cr2);
}

/* An interrupt that L2 was to take is acknowledged and never ended. */
static void leave_one_in_service(void)
{
	struct vm *vm = signals_prepare(l2_signal_once);

	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	apic_self_interrupt(IN_SERVICE);
	vm_run(vm);
	vmclear(vm->vmcs);
	vmx_off();
}

static u32 any_of(u32 first)
{
	u32 found = 0;

	for (u32 i = 0; i < 8; i++)
		found |= apic_read(first + i * 0x10);
	return found;
}

static void dirty_apic(void *unused)
{
	(void)unused;
	leave_one_in_service();
	apic_self_interrupt(REQUESTED);
	apic_self_interrupt(REQUESTED_BELOW);
	apic_start_periodic_timer(0x72, 0x40000000);
	apic_write(APIC_LVT_ERROR, 0x73);
	apic_write(APIC_TPR, 0x90);
	if (!apic_is_x2apic()) {
		apic_write(APIC_LDR, 0x02000000);
		apic_write(APIC_DFR, 0x0fffffff);
	}
	say("in_service=%u requested=%u; ", any_of(APIC_ISR) != 0, any_of(APIC_IRR) != 0);
}

/* The library has enabled the APIC by software and masked the timer by now; the rest is as INIT left it. */
static void say_apic(void *unused)
{
	(void)unused;
	say("timer=%x error=%x", apic_read(APIC_LVT_TIMER), apic_read(APIC_LVT_ERROR));
	say(" initial=%x divide=%x", apic_read(APIC_TIMER_INITIAL), apic_read(APIC_TIMER_DIVIDE));
	say(" in_service=%x requested=%x", any_of(APIC_ISR), any_of(APIC_IRR));
	say(" destination=%u", apic_is_x2apic() || (!apic_read(APIC_LDR) && apic_read(APIC_DFR) == 0xffffffff));
}

static void apic_state(void)
{
	signals_reset();
	cpu_call(TARGET, dirty_apic, NULL);
	say("%s", cpu_said(TARGET));
	cpu_restart(TARGET);
	cpu_call(TARGET, say_apic, NULL);
	say("%s", cpu_said(TARGET));
}

static void say_requested(void *unused)
{
	(void)unused;
	say("requested=%x", apic_read(APIC_IRR));
	for (u32 i = 1; i < 8; i++)
		if (apic_read(APIC_IRR + i * 0x10))
			say(" and more");
}

/* Expect: an APIC takes vectors that are exceptions' too; the target, whose interrupts are off, never sees them. */
static void reserved_vectors(void)
{
	for (u8 vector = FIRST_VECTOR; vector <= LAST_RESERVED_VECTOR; vector++)
		cpu_send_vector(TARGET, vector);
	signals_settle();
	cpu_call(TARGET, say_requested, NULL);
	say("before: %s", cpu_said(TARGET));
	cpu_restart(TARGET);
	cpu_call(TARGET, say_requested, NULL);
	say("; after: %s", cpu_said(TARGET));
}

/* Expect: what arrives while it waits for SIPI is not taken: INIT has disabled the APIC by software. */
static void interrupts_before_sipi(void)
{
	cpus[TARGET].state = CPU_RUNNING;
	cpu_send_init(TARGET);
	signals_settle();
	cpu_send_vector(TARGET, REQUESTED);
	cpu_send_vector(TARGET, FIRST_VECTOR + 2);
	signals_settle();
	cpu_start_again(TARGET);
	cpu_call(TARGET, say_requested, NULL);
	say("%s", cpu_said(TARGET));
}

static void note_mode(void *mode)
{
	*(u64 *)mode = rdmsr(IA32_APIC_BASE) & APIC_MODE;
}

/* Expect: INIT leaves the APIC in xAPIC or x2APIC mode, whichever it was. */
static void apic_mode(void)
{
	u64 before = 0, after = 0;

	if (apic_is_x2apic())
		all_enter_x2apic();
	cpu_call(TARGET, note_mode, &before);
	cpu_restart(TARGET);
	cpu_call(TARGET, note_mode, &after);
	say("kept=%u", before == after);
}

/* Expect: SIPI means nothing to a processor that runs. */
static void sipi_to_the_running(void)
{
	u32 boots = cpus[TARGET].boots;

	for (u32 i = 0; i < 5; i++)
		cpu_send_sipi(TARGET);
	signals_settle();
	say("boots=%u", cpus[TARGET].boots - boots);
}

/* Expect: many INITs are as good as one, and one SIPI is enough after them. */
static void init_storm(void)
{
	cpus[TARGET].state = CPU_RUNNING;
	for (u32 i = 0; i < 40; i++) {
		cpu_send_init(TARGET);
		delay(i * 37);
	}
	signals_settle();
	cpu_start_again(TARGET);
	say("started");
}

/* --- L2 -------------------------------------------------------------------------------- */

/* Rounds of an L2 that only INIT ends. */
static void run_until_init(void *rounds)
{
	struct vm *vm = signals_prepare(l2_signal_spin);

	for (u32 i = 1; i <= *(u32 *)rounds; i++) {
		signals.round = i;
		vm_run(vm);
		say("%s qualification=%lx inside=%u activity=%lu; ", exit_reason_name(vm->basic_reason), vmread(EXIT_QUALIFICATION),
		    vmread(GUEST_RIP) - vm->code < 16, vmread(GUEST_ACTIVITY_STATE));
	}
	vmclear(vm->vmcs);
	vmx_off();
	say("vmxoff");
}

static void init_in_l2(void)
{
	u32 rounds = 3;

	signals_reset();
	cpu_ask(TARGET, run_until_init, &rounds);
	for (u32 i = 1; i <= rounds; i++) {
		signals_await_l2(i);
		cpu_send_init(TARGET);
	}
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

static void wait_for_sipi_in_l2(void *unused)
{
	struct vm *vm = signals_prepare(l2_signal_once);

	(void)unused;
	for (u32 i = 1; i <= 2; i++) {
		vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
		vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
		vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
		signals.round = i;
		vm_step(vm);
		say(" rbx=%lu; ", vm->gpr[RBX]);
	}
	/* The emulator leaves NMIs blocked after that exit. */
	nmi_unblock();
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	vm_step(vm);
}

/* Expect: the vector is the qualification; L2 stays where it was. */
static void sipi_in_l2(void)
{
	signals_reset();
	cpu_ask(TARGET, wait_for_sipi_in_l2, NULL);
	for (u32 i = 1; i <= 2; i++) {
		signals_await(i);
		cpu_send(TARGET, ICR_SIPI | ICR_ASSERT | (SIPI_VECTOR + i));
	}
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

/* Expect: an L2 that runs does not notice a SIPI. */
static void sipi_to_the_running_l2(void)
{
	u32 rounds = 1;

	signals_reset();
	cpu_ask(TARGET, run_until_init, &rounds);
	signals_await_l2(1);
	for (u32 i = 0; i < 3; i++)
		cpu_send_sipi(TARGET);
	signals_await_l2(1);
	cpu_send_init(TARGET);
	cpu_wait(TARGET);
	say("%s", cpu_said(TARGET));
}

SCENARIOS(init_scenarios,
	{ "init.storm", init_storm, "started", has_others },
	{ "init.registers", registers,
	  "gpr=0 cs=1 segments=0 cr3=0 cr4=0 efer=0 dr6=0xffff0ff0 dr7=0x400 eflags=2", has_others },
	{ "init.control_registers", control_registers, "edx=1 cr0=0x10 cr2=0", has_others },
	{ "init.apic", apic_state,
	  "in_service=1 requested=1; timer=0x10000 error=0x10000 initial=0 divide=0 in_service=0 requested=0 destination=1", has_others },
	{ "init.reserved_vectors", reserved_vectors, "before: requested=0xffff0000; after: requested=0", has_others },
	{ "init.interrupts_before_sipi", interrupts_before_sipi, "requested=0", has_others },
	{ "init.apic_mode", apic_mode, "kept=1", has_others },
	{ "init.sipi_to_the_running", sipi_to_the_running, "boots=0", has_others },
	{ "init.in_l2", init_in_l2,
	  "INIT qualification=0 inside=1 activity=0; INIT qualification=0 inside=1 activity=0; "
	  "INIT qualification=0 inside=1 activity=0; vmxoff", has_others },
	{ "init.sipi_in_l2", sipi_in_l2,
	  "SIPI(4) qualification=0x78 rip=+0 rbx=0; SIPI(4) qualification=0x79 rip=+0 rbx=0; VMCALL(18) length=3 rip=+3",
	  signals_has_wait_for_sipi },
	{ "init.sipi_to_the_running_l2", sipi_to_the_running_l2, "INIT qualification=0 inside=1 activity=0; vmxoff", has_others },
);
