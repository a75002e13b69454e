/* SPDX-License-Identifier: MIT */
/*
 * The engine of races: the other processors write into memory that the boot
 * processor's VMX instructions and entries depend on, until it has had enough.
 * Each scenario may see any architectural result in between; what it says is
 * that everybody is alive, nothing beside the targets changed, and a fresh L2
 * still works.
 */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"

#define SEED 0x7e57d0c0ffee0001ul
/* What race_end() says when all is well: one CPUID of a fresh L2. */
#define UNHARMED "CPUID(10) length=2 rip=+0"
/* Outcomes beside exit reasons, for outcome_of_entry(). */
#define REFUSED 0x100u

/* From SEED and the load options. */
u64 race_seed(void);

struct random {
	u64 state;
};
u64 random_next(struct random *random);
u64 random_below(struct random *random, u64 limit);
u64 random_of(struct random *random, const u64 *values, u64 count);

/* Zeroed pages with a page of known content before and behind, looked at by race_end(). */
void *race_pages(u64 count);

/* VMX on, here; the others call `write` again and again. */
void race_begin(void (*write)(struct random *random));
/* The same with a function that runs until race_is_over(). */
void race_begin_with(void (*run)(struct random *random));
bool race_is_over(void);
/* This processor's own. */
struct random *race_random(void);
void race_end(void);

/* Enters L2 again at `code`: the basic exit reason, or REFUSED | VM-instruction error. */
u32 race_enter(struct vm *vm, const u8 *code);
/* Ends the scenario unless the outcome is among these; counts it for the scenario's information line. */
void race_expect(u32 outcome, const u32 *allowed, u64 count);
#define ALLOW(outcome, ...) race_expect(outcome, (const u32[]){ __VA_ARGS__ }, ARRAY_SIZE(((const u32[]){ __VA_ARGS__ })))

extern const u8 l2_cpuid[], l2_load[], l2_store[], l2_call[], l2_accesses[], l2_task_priority[];

extern const struct scenario region_scenarios[3], list_scenarios[3], ept_scenarios[2], operand_scenarios[1], pdpte_scenarios[1];
