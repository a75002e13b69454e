/* SPDX-License-Identifier: MIT */
/*
 * The other processors wait in a loop for something to do. Interrupts are off
 * on them unless what they are asked opens them. After each scenario every
 * processor is brought back to that loop; one that cannot be is lost, and
 * each later scenario that wants it says so.
 */
#include "tests/guests/lib/smp.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/x86.h"

#define INIT_TICKS 1000000ull
#define SIPI_TICKS 4000000ull

static volatile bool scenario_over;

struct deadline deadline_in(u64 ticks)
{
	return (struct deadline){ rdtsc() + ticks };
}

bool deadline_passed(const struct deadline *deadline)
{
	__builtin_ia32_pause();
	return rdtsc() > deadline->end;
}

void deadline_check(const struct deadline *deadline, const char *what)
{
	if (deadline_passed(deadline))
		scenario_abort(" time-out: %s", what);
	if (scenario_over && cpu_here())
		scenario_abort(" given up: %s", what);
}

/* While Testudo's monitor has all processors stopped, time goes on for nobody who waits for another. */
#define LONGEST_STEP 20000

void delay(u64 ticks)
{
	for (u64 before = rdtsc(), now, step; ticks; before = now, ticks -= step) {
		now = rdtsc();
		step = now - before;
		if (step > LONGEST_STEP)
			step = LONGEST_STEP;
		if (step > ticks)
			step = ticks;
	}
}

void barrier_wait(struct barrier *barrier, u32 parties)
{
	u32 round = barrier->round;

	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == parties) {
		barrier->arrived = 0;
		__atomic_add_fetch(&barrier->round, 1, __ATOMIC_RELEASE);
		return;
	}
	WAIT_UNTIL(barrier->round != round, "barrier");
}

/* What a processor was asked, with a guard of its own: an exception or an abort ends only that. */
static void run_asked(struct cpu *here)
{
	struct guard guard;

	if (guard_enter(&guard) == 0) {
		here->running = &guard;
		here->run(here->argument);
		here->running = NULL;
		guard_leave(&guard);
		__atomic_store_n(&here->state, CPU_IDLE, __ATOMIC_RELEASE);
		return;
	}
	here->running = NULL;
	if (guard.trapped)
		say(" exception #%u(%x)", guard.vector, guard.error_code);
	cli();
	nmi_unblock();
	__atomic_store_n(&here->state, CPU_ABORTED, __ATOMIC_RELEASE);
}

_Noreturn void smp_main(u32 number)
{
	struct cpu *here = &cpus[number];

	machine_load_tables(here->tables);
	here->innermost = here->running = NULL;
	here->in_vmx = false;
	if (vmx_present())
		vmx_prepare();
	apic_prepare();
	here->apic_id = apic_id();
	__atomic_store_n(&here->state, CPU_IDLE, __ATOMIC_RELEASE);
	__atomic_add_fetch(&here->boots, 1, __ATOMIC_RELEASE);
	for (;;) {
		while (__atomic_load_n(&here->state, __ATOMIC_ACQUIRE) != CPU_ASKED)
			__builtin_ia32_pause();
		here->state = CPU_RUNNING;
		run_asked(here);
	}
}

static bool is_at_rest(u32 cpu)
{
	u32 state = __atomic_load_n(&cpus[cpu].state, __ATOMIC_ACQUIRE);

	return state == CPU_IDLE || state == CPU_ABORTED;
}

void cpu_ask(u32 cpu, void (*run)(void *), void *argument)
{
	if (cpu >= cpu_count() || !is_at_rest(cpu))
		scenario_abort(" cpu %u is %s", cpu, cpus[cpu].state == CPU_LOST ? "lost" : "not at rest");
	text_clear(&cpus[cpu].said);
	cpus[cpu].run = run;
	cpus[cpu].argument = argument;
	__atomic_store_n(&cpus[cpu].state, CPU_ASKED, __ATOMIC_RELEASE);
}

bool cpu_is_done(u32 cpu)
{
	return is_at_rest(cpu) || cpus[cpu].state == CPU_LOST;
}

void cpu_wait(u32 cpu)
{
	struct deadline deadline = deadline_in(WAIT_TICKS);

	while (!cpu_is_done(cpu))
		if (deadline_passed(&deadline))
			scenario_abort(" time-out: cpu %u", cpu);
	if (cpus[cpu].state != CPU_IDLE)
		scenario_abort(" cpu %u:%s", cpu, cpus[cpu].said.data);
}

void cpu_call(u32 cpu, void (*run)(void *), void *argument)
{
	cpu_ask(cpu, run, argument);
	cpu_wait(cpu);
}

const char *cpu_said(u32 cpu)
{
	return cpus[cpu].said.data;
}

void others_ask(void (*run)(void *), void *arguments, size_t stride)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_ask(cpu, run, arguments ? (u8 *)arguments + cpu * stride : NULL);
}

void others_wait(void)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
}

void all_call(void (*run)(void *), void *arguments, size_t stride)
{
	others_ask(run, arguments, stride);
	run(arguments);
	others_wait();
}

void cpu_send(u32 cpu, u32 command)
{
	apic_send(cpus[cpu].apic_id, command);
}

void cpu_send_init(u32 cpu)
{
	cpu_send(cpu, ICR_INIT | ICR_ASSERT);
}

void cpu_send_sipi(u32 cpu)
{
	cpu_send(cpu, ICR_SIPI | ICR_ASSERT | smp_sipi_vector());
}

void cpu_send_nmi(u32 cpu)
{
	cpu_send(cpu, ICR_NMI | ICR_ASSERT);
}

void cpu_send_vector(u32 cpu, u8 vector)
{
	cpu_send(cpu, ICR_ASSERT | vector);
}

static bool has_booted(u32 cpu, u32 boots, u64 ticks)
{
	struct deadline deadline = deadline_in(ticks);

	while (cpus[cpu].boots == boots)
		if (deadline_passed(&deadline))
			return false;
	return true;
}

/* SDM "MP Initialization Example": a second SIPI in case the first was not taken. */
static bool try_start_again(u32 cpu)
{
	u32 boots = cpus[cpu].boots;

	cpu_send_sipi(cpu);
	if (has_booted(cpu, boots, SIPI_TICKS))
		return true;
	cpu_send_sipi(cpu);
	return has_booted(cpu, boots, WAIT_TICKS / 4);
}

void cpu_start_again(u32 cpu)
{
	if (!try_start_again(cpu))
		scenario_abort(" time-out: cpu %u after SIPI", cpu);
}

void cpu_restart(u32 cpu)
{
	cpus[cpu].state = CPU_RUNNING;
	cpu_send_init(cpu);
	delay(INIT_TICKS);
	cpu_start_again(cpu);
}

static void enter_x2apic(void *unused)
{
	(void)unused;
	apic_enter_x2apic();
	cpu_this()->apic_id = apic_id();
}

void all_enter_x2apic(void)
{
	all_call(enter_x2apic, NULL, 0);
}

/* An NMI interrupts what cannot be reached otherwise, when nobody waits for it any more. */
static void nmi_ends_scenario(void)
{
	struct cpu *here = cpu_this();

	if (scenario_over && here != &cpus[0] && here->running)
		guard_raise(here->running);
}

static bool comes_to_rest(u32 cpu, u64 ticks)
{
	struct deadline deadline = deadline_in(ticks);

	while (!is_at_rest(cpu))
		if (deadline_passed(&deadline))
			return false;
	return true;
}

static void bring_back(u32 cpu)
{
	if (comes_to_rest(cpu, WAIT_TICKS / 8))
		return;
	cpu_send_nmi(cpu);
	if (comes_to_rest(cpu, WAIT_TICKS / 8))
		return;
	cpu_send_init(cpu);
	delay(INIT_TICKS);
	if (!try_start_again(cpu))
		cpus[cpu].state = CPU_LOST;
}

/* A VMCS that is still active somewhere may be written back into memory that the next scenario uses. */
static void leave_vmx(void *unused)
{
	(void)unused;
	vmx_regions_clear();
	vmx_off();
}

static void end_scenario(void)
{
	scenario_over = true;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		if (cpus[cpu].state != CPU_LOST)
			bring_back(cpu);
	scenario_over = false;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		if (!is_at_rest(cpu) || !cpus[cpu].in_vmx)
			continue;
		cpu_ask(cpu, leave_vmx, NULL);
		if (!comes_to_rest(cpu, WAIT_TICKS / 8))
			cpus[cpu].state = CPU_LOST;
	}
	if (cpus[0].in_vmx)
		leave_vmx(NULL);
}

void smp_watch_scenarios(void)
{
	traps_on_nmi(nmi_ends_scenario);
	scenario_on_end(end_scenario);
}
