/* SPDX-License-Identifier: MIT */
/*
 * The rows of the benchmark and how they are measured. A row prepares, and then repeats one
 * round, whose call is taken off; its figures go out as "B" lines: ticks of one round (the median), .mean, .entries, and
 * L0's counters for one round where L0 shows them. A row whose rounds go wrong fails by its name.
 */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/types.h"
#include "tests/guests/lib/vm.h"

#define SAMPLES 1000

struct row {
	const char *name;
	void (*before)(void); /* ahead of each round, neither timed nor counted; may be NULL */
	bool (*round)(void);  /* true: it went as it should */
	u32 rounds;
	u32 warm_up; /* rounds before the first that counts */
	u32 entries; /* VM entries of L1's own in a round, and as many exits */
};

/* Measures and says "all rounds good", or how many. */
void measure(const struct row *row);

/* By hand: begin and stop stand around what L0's counters are to be taken of; the samples may come later. */
void measure_begin(void);
void measure_stop(void);
void measure_sample(u64 ticks);
/* What was measured, for one of `count`, with so many VM entries of L1's own in all. */
void measure_print(const char *name, u64 count, u64 entries);
/* L0's exits between begin and stop; 0 where L0 does not tell. */
u64 measure_exits(void);

/* counters.c: what L0 has done until now. */
enum counter_kind {
	KIND_EXITS,
	KIND_VMREADS,
	KIND_VMWRITES,
	KIND_VMPTRLDS,
	KIND_VMCLEARS,
	KIND_COUNT
};
extern const char *const counter_names[KIND_COUNT];
/* False where nobody tells; a kind that is not known stays COUNTER_UNKNOWN. */
#define COUNTER_UNKNOWN (~0ull)
bool counters_read(u64 value[KIND_COUNT]);
/* What the time-stamp counter counts, for people. */
void ticks_explain(void);

/* An L1 as real ones are: EPT, VPID, an MSR bitmap with holes, EFER, PAT and debug controls in both directions. */
struct vm *bench_vm(const u8 *code);
/* One exit of the current VMCS, and RIP moved past the instruction: all that an L1 must do. */
bool bench_round(struct vm *vm, u32 reason);

/* The rows: exits.c, instructions.c, memory.c. */
extern const struct scenario first_rows[], exit_rows[], memory_rows[], instruction_rows[], last_rows[];
extern const u64 first_row_count, exit_row_count, memory_row_count, instruction_row_count, last_row_count;

extern const u8 l2_cpuid_loop[], l2_vmcall_loop[], l2_rdmsr_loop[], l2_out_loop[], l2_in_loop[], l2_hlt_loop[], l2_spin[];
extern const u8 l2_touch_loop[], l2_sweep[];
