/* SPDX-License-Identifier: MIT */
/*
 * What L1 does with its own exceptions: counts NMIs and interrupts and goes
 * on, hands any other exception to the innermost guard.
 */
#include "tests/guests/lib/traps.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/x86.h"

void guard_push(struct guard *g)
{
	struct cpu *here = cpu_this();

	g->outer = here->innermost;
	g->trapped = false;
	g->vector = 0;
	g->error_code = 0;
	here->innermost = g;
}

void guard_leave(struct guard *g)
{
	cpu_this()->innermost = g->outer;
}

_Noreturn void guard_raise(struct guard *g)
{
	cpu_this()->innermost = g->outer;
	guard_resume(g);
}

static void (*nmi_hook)(void);

void traps_on_nmi(void (*hook)(void))
{
	nmi_hook = hook;
}

void trap_handler(struct trap_frame *frame)
{
	struct cpu *here = cpu_this();
	struct guard *g = here->innermost;

	here->counts[frame->vector & 0xff]++;
	if (frame->vector >= 32) {
		apic_end_of_interrupt();
		return;
	}
	if (frame->vector == VECTOR_NMI) {
		if (nmi_hook)
			nmi_hook();
		return;
	}
	if (!g)
		scenario_abort("exception #%lu(%lx) at %lx", frame->vector, frame->error_code,
			       frame->rip);
	g->trapped = true;
	g->vector = (u32)frame->vector;
	g->error_code = (u32)frame->error_code;
	g->trap_rip = frame->rip;
	guard_raise(g);
}

u32 traps_count(u8 vector)
{
	return cpu_this()->counts[vector];
}

u32 traps_count_on(u32 cpu, u8 vector)
{
	return cpus[cpu].counts[vector];
}

void traps_reset(void)
{
	struct cpu *here = cpu_this();

	for (u32 i = 0; i < ARRAY_SIZE(here->counts); i++)
		here->counts[i] = 0;
}
