/* SPDX-License-Identifier: MIT */
/*
 * What L1 does with its own exceptions: counts NMIs and interrupts and goes
 * on, hands any other exception to the innermost guard.
 */
#include "tests/guests/lib/traps.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/x86.h"

static struct guard *innermost;
static u32 counts[256];

void guard_push(struct guard *g)
{
	g->outer = innermost;
	g->trapped = false;
	g->vector = 0;
	g->error_code = 0;
	innermost = g;
}

void guard_leave(struct guard *g)
{
	innermost = g->outer;
}

_Noreturn void guard_raise(struct guard *g)
{
	innermost = g->outer;
	guard_resume(g);
}

void trap_handler(struct trap_frame *frame)
{
	struct guard *g = innermost;

	counts[frame->vector & 0xff]++;
	if (frame->vector >= 32) {
		apic_end_of_interrupt();
		return;
	}
	if (frame->vector == VECTOR_NMI)
		return;
	if (!g)
		scenario_abort("exception #%lu(%lx) at %lx", frame->vector, frame->error_code,
			       frame->rip);
	g->trapped = true;
	g->vector = (u32)frame->vector;
	g->error_code = (u32)frame->error_code;
	guard_raise(g);
}

u32 traps_count(u8 vector)
{
	return counts[vector];
}

void traps_reset(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(counts); i++)
		counts[i] = 0;
}
