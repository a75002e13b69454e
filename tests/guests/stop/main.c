/* SPDX-License-Identifier: MIT */
/*
 * stop: instructions that are of no interest, executed while the other
 * processors run an L2, wait for SIPI, or exit all the time. A self-test image of
 * a hypervisor may make a panic of one, and must then stop them all; everywhere
 * else this guest just goes on.
 */
#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SETTLE_TICKS 2000000
#define SLICE_TICKS 100000
#define WENT_ON "went on"
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_X2APIC BIT(10)

enum { RUNS_L2 = 1, WAITS_FOR_SIPI = 2 };

extern const u8 l2_spin[];

static volatile bool over;
static volatile u32 busy;
static bool sends_sipi = true;

static void note_busy(void)
{
	__atomic_add_fetch(&busy, 1, __ATOMIC_RELEASE);
}

static void run_l2(void *unused)
{
	struct vm *vm;

	(void)unused;
	vmx_on();
	vm = vm_create(l2_spin);
	note_busy();
	do
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, SLICE_TICKS);
	while (vm_run(vm) && !over);
	vmclear(vm->vmcs);
	vmx_off();
}

static void exit_often(void *unused)
{
	(void)unused;
	note_busy();
	while (!over)
		(void)cpuid(0, 0);
}

static bool waits_for_sipi(u32 cpu)
{
	return sends_sipi && cpu == WAITS_FOR_SIPI;
}

static void keep_busy(u32 cpu)
{
	if (waits_for_sipi(cpu)) {
		cpus[cpu].state = CPU_RUNNING;
		cpu_send_init(cpu);
		note_busy();
	} else {
		cpu_ask(cpu, cpu == RUNS_L2 && vmx_present() ? run_l2 : exit_often, NULL);
	}
}

static u32 op_rdpmc(u64 counter, u64 unused)
{
	u32 low, high;

	(void)unused;
	__asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"((u32)counter));
	return OUTCOME_OK;
}

static u32 op_monitor(u64 address, u64 unused)
{
	(void)unused;
	__asm__ volatile("monitor" : : "a"(address), "c"(0), "d"(0));
	return OUTCOME_OK;
}

/* This processor's APIC is off meanwhile; nothing is sent to or from it. */
static u32 op_without_apic(u64 unused, u64 unused2)
{
	u64 base = rdmsr(IA32_APIC_BASE);

	(void)unused;
	(void)unused2;
	wrmsr(IA32_APIC_BASE, base & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
	invlpg(0);
	wrmsr(IA32_APIC_BASE, base & ~APIC_BASE_X2APIC);
	wrmsr(IA32_APIC_BASE, base);
	apic_prepare();
	return OUTCOME_OK;
}

static void do_among_others(vmx_op instruction)
{
	over = false;
	busy = 0;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		keep_busy(cpu);
	delay(SETTLE_TICKS);
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		if (!waits_for_sipi(cpu) && cpu_is_done(cpu))
			cpu_wait(cpu); /* it says why */
	WAIT_UNTIL(busy == cpu_count() - 1, "others");
	if (attempt(instruction, 0, 0) != OUTCOME_OK && instruction != op_rdpmc)
		scenario_abort(" exception");
	over = true;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		if (waits_for_sipi(cpu))
			cpu_start_again(cpu);
		else
			cpu_wait(cpu);
	}
	say(WENT_ON);
}

static void in_xapic_mode(void)
{
	do_among_others(op_rdpmc);
}

static void in_x2apic_mode(void)
{
	if (!apic_is_x2apic())
		all_enter_x2apic();
	do_among_others(op_monitor);
}

static void without_apic(void)
{
	sends_sipi = false;
	do_among_others(op_without_apic);
}

static void rdpmc_later(void *unused)
{
	(void)unused;
	delay(SETTLE_TICKS);
	(void)attempt(op_rdpmc, 0, 0);
	over = true;
}

/* The last processor does it, while the boot processor runs an L2 and the rest exits all the time. */
static void on_another(void)
{
	u32 last = cpu_count() - 1;

	over = last == 0;
	for (u32 cpu = 1; cpu <= last; cpu++)
		cpu_ask(cpu, cpu == last ? rdpmc_later : exit_often, NULL);
	if (vmx_present())
		run_l2(NULL);
	others_wait();
	say(WENT_ON);
}

static const struct scenario scenarios[] = {
	{ "stop.xapic", in_xapic_mode, WENT_ON, NULL },
	{ "stop.x2apic", in_x2apic_mode, WENT_ON, apic_has_x2apic },
	{ "stop.on_another", on_another, WENT_ON, NULL },
	{ "stop.without_apic", without_apic, WENT_ON, NULL },
};

void guest_main(void)
{
	(void)smp_start();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
}
