/* SPDX-License-Identifier: MIT */
/*
 * What the library keeps for each processor. A guest of one processor has
 * only the first entry, and never asks which processor it is on.
 */
#pragma once

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/text.h"

#define MAX_CPUS 16u

enum cpu_state {
	CPU_ABSENT,
	CPU_IDLE,    /* waits for something to do */
	CPU_ASKED,
	CPU_RUNNING,
	CPU_ABORTED, /* what it was asked ended by scenario_abort() or an exception */
	CPU_LOST,    /* it died outside of what it was asked */
};

struct cpu {
	struct descriptor_tables *tables; /* tells a processor who it is: its GDTR points here */
	struct guard *innermost;          /* traps.c */
	struct guard *running;            /* report.c: where scenario_abort() goes */
	volatile u32 counts[256];         /* traps.c: interrupts and NMIs taken */
	u32 last_error_code;              /* vmx_ops.c */
	u64 vmxon_region;                 /* machine.c */
	volatile bool in_vmx;             /* machine.c */
	volatile u32 state;               /* smp.c: an enum cpu_state */
	volatile u32 boots;               /* smp.c: how often it came out of SIPI */
	u32 apic_id;
	void (*run)(void *);
	void *argument;
	struct text said;
};

extern struct cpu cpus[MAX_CPUS];

/* Those that run, the boot processor included. */
u32 cpu_count(void);
void cpu_count_set(u32 count);

/* The index of the processor that asks; 0 is the boot processor. */
u32 cpu_here(void);
struct cpu *cpu_this(void);

/* For what several processors may do at once; never held over an entry or a wait. */
void lock_take(volatile u32 *lock);
void lock_give(volatile u32 *lock);
