/* SPDX-License-Identifier: MIT */
/*
 * The processors themselves: how many, who they are, asked and restarted;
 * fixed interrupts and NMIs. No VMX here.
 */
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/traps.h"

#define VECTOR 0x71

/* Expect: APIC identifiers differ, and each processor's is the one that it is addressed by. */
static void identifiers(void)
{
	u32 distinct = 0;

	for (u32 a = 0; a < cpu_count(); a++) {
		bool repeated = false;

		for (u32 b = 0; b < a; b++)
			repeated |= cpus[a].apic_id == cpus[b].apic_id;
		distinct += !repeated;
	}
	say("distinct=%u", distinct == cpu_count());
	say(" firmware=%u", machine_firmware_cpus() == cpu_count());
}

static void note_here(void *to)
{
	*(u32 *)to = cpu_here() + 1;
}

static void asked(void)
{
	u32 answers[MAX_CPUS] = { 0 };
	u32 right = 0;

	all_call(note_here, answers, sizeof(answers[0]));
	for (u32 i = 0; i < cpu_count(); i++)
		right += answers[i] == i + 1;
	say("right=%u", right == cpu_count());
}

static void restarts(void)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		u32 boots = cpus[cpu].boots;

		for (u32 i = 0; i < 5; i++)
			cpu_restart(cpu);
		if (cpus[cpu].boots != boots + 5)
			say("cpu %u: %u of 5 ", cpu, cpus[cpu].boots - boots);
	}
	asked();
}

static void open_and_wait(void *count)
{
	struct cpu *here = cpu_this();

	while (here->counts[VECTOR] + here->counts[2] < *(u32 *)count)
		open_interrupt_window();
}

/* Expect: each fixed interrupt and NMI taken once by its target alone. */
static void interrupts(void)
{
	u32 wanted;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		u32 before = traps_count_on(cpu, VECTOR), nmis = traps_count_on(cpu, 2);

		wanted = before + nmis + 20;
		cpu_ask(cpu, open_and_wait, &wanted);
		for (u32 i = 1; i <= 10; i++) {
			cpu_send_vector(cpu, VECTOR);
			WAIT_UNTIL(traps_count_on(cpu, VECTOR) == before + i, "interrupt");
			cpu_send_nmi(cpu);
			WAIT_UNTIL(traps_count_on(cpu, 2) == nmis + i, "NMI");
		}
		cpu_wait(cpu);
	}
	say("each");
}

SCENARIOS(processor_scenarios,
	{ "processors.identifiers", identifiers, "distinct=1 firmware=1", NULL },
	{ "processors.asked", asked, "right=1", NULL },
	{ "processors.restarts", restarts, "right=1", NULL },
	{ "processors.interrupts", interrupts, "each", has_others },
	{ "processors.asked_again", asked, "right=1", NULL },
);
