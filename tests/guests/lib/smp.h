/* SPDX-License-Identifier: MIT */
/*
 * Several processors: starting them by INIT and SIPI, giving them something to
 * do, and waiting without hanging. Only the boot processor runs scenarios and
 * prints; what another processor says comes with cpu_said().
 * Every wait ends: in time, or as a failure of the scenario by name. Each
 * scenario ends with all processors outside VMX operation and at rest.
 */
#pragma once

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/report.h"

/* First, outside any scenario: starts all, prepares VMX on each, prints how many there are. False if no other runs. */
bool smp_start(void);

struct scenario_list {
	const struct scenario *scenarios;
	const u64 *count;
	bool both_modes; /* sends interrupts: once more in x2APIC mode */
};

/* Runs the lists in the mode of the APIC that the firmware left, then those that want it in x2APIC mode too. */
void lists_run(const struct scenario_list *lists, u64 count);

/* Has a processor run a function, with interrupts off; cpu_wait() ends the scenario if that aborts or takes too long. */
void cpu_ask(u32 cpu, void (*run)(void *), void *argument);
void cpu_wait(u32 cpu);
void cpu_call(u32 cpu, void (*run)(void *), void *argument);
bool cpu_is_done(u32 cpu);
/* What it said since it was asked. */
const char *cpu_said(u32 cpu);

/* All others at once, with their own entry of an array of arguments (stride 0: the same for all). */
void others_ask(void (*run)(void *), void *arguments, size_t stride);
void others_wait(void);
/* All, this one included. */
void all_call(void (*run)(void *), void *arguments, size_t stride);

/* Numbered from 0, in the order of their start; the boot processor is 0. */
void cpu_send(u32 cpu, u32 command);
void cpu_send_init(u32 cpu);
void cpu_send_sipi(u32 cpu);
void cpu_send_nmi(u32 cpu);
void cpu_send_vector(u32 cpu, u8 vector);

/* INIT, SIPI, and it waits again for something to do; it must be outside VMX operation, or in L2 under a willing L1. */
void cpu_restart(u32 cpu);
/* The second half: after INIT has made it wait for SIPI. */
void cpu_start_again(u32 cpu);

/* All processors to x2APIC mode; there is no way back. */
void all_enter_x2apic(void);

/* A point that `parties` processors reach before any goes on; zeroed before its first use, then reusable. */
struct barrier {
	volatile u32 arrived, round;
};
void barrier_wait(struct barrier *barrier, u32 parties);

/* For loops that wait: aborts with the words when the time is over, or when the scenario has ended without this processor. */
struct deadline {
	u64 end;
};
#define WAIT_TICKS (1ull << 29)
struct deadline deadline_in(u64 ticks);
bool deadline_passed(const struct deadline *deadline);
void deadline_check(const struct deadline *deadline, const char *what);

#define WAIT_UNTIL(condition, what)                                       \
	do {                                                              \
		struct deadline until_ = deadline_in(WAIT_TICKS);         \
									  \
		while (!(condition))                                      \
			deadline_check(&until_, what);                    \
	} while (0)

/* Lets about so many ticks of the time-stamp counter pass. */
void delay(u64 ticks);

/* What the last processor to come out of SIPI had then: smp_start.asm stores it in real mode. */
struct sipi_state {
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u16 cs, ds, es, ss, fs, gs;
	u32 cr0, cr2, cr3, cr4, dr6, dr7, eflags, efer;
};
const volatile struct sipi_state *smp_sipi_state(void);
/* The vector that starts the trampoline. */
u8 smp_sipi_vector(void);

/* Called by smp_start.asm, after SIPI. */
_Noreturn void smp_main(u32 number);
/* Called by smp_start(): from now on every scenario ends with all processors at rest. */
void smp_watch_scenarios(void);
