/* SPDX-License-Identifier: MIT */
/*
 * A stop of all processors from which the guests go on: one processor asks for it, and each, that one
 * too, comes to struct machine's stop_point at the end of its next exit (vmx/run.c), where nothing is under way.
 * INIT makes the others exit, as they must when they run on without: those INITs are L0's own, and no guest sees them.
 */
#pragma once

#include "arch/percpu.h"
#include "drivers/panic.h"

#define STOP_WANTED (UINT64_C(1) << 32)		/* in stop_reasons */
/* In own_init_until: L0 has sent an INIT, or more than one (bit 0), and it may come at any time. Otherwise until which TSC one may. */
#define STOP_INIT_IS_SENT (UINT64_MAX - 1)
#define STOP_INITS_ARE_SENT UINT64_MAX

static inline bool stop_is_wanted(void)
{
	return unlikely(__atomic_load_n(&stop_reasons, __ATOMIC_ACQUIRE) & STOP_WANTED);
}

/* False: another processor has asked, and this one is to stop as well. */
bool stop_request(void);
/* Did this processor ask? */
bool stop_is_mine(void);
/* By the processor that asked. All go on. */
void stop_end(void);

/* Before INIT is sent to that processor, which has not stopped yet, by the one that asked. */
void stop_note_init(struct percpu *target);

void stop_await_init(struct percpu *cpu);

/*
 * Before each entry after an exit that took the long way: an INIT that came while the processor was in L0 makes it exit at this
 * entry, and not much later, if it comes at all. Where L1 waits for SIPI it is blocked, and awaited from the SIPI on.
 */
static inline void stop_leave(struct percpu *cpu)
{
	if (unlikely(__atomic_load_n(&cpu->own_init_until, __ATOMIC_RELAXED) >= STOP_INIT_IS_SENT) && !cpu->waits_for_sipi)
		stop_await_init(cpu);
}

/* Whose is the INIT by which this processor has exited? True: L0's own, and nothing has happened to the guest. */
bool stop_takes_init(struct percpu *cpu);
