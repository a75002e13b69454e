/* SPDX-License-Identifier: MIT */
/*
 * What the bombarded processors do: L2s that exit all the time, and the count
 * of every event by the level that took it.
 */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(nmi_storms);
LIST(interrupt_storms);
LIST(flood_storms);
#undef LIST

/* How L1 runs its L2. */
struct mode {
	const char *name;
	u64 pin;              /* pin-based controls besides the usual */
	bool acknowledge;     /* interrupts are acknowledged on exit */
	bool interruptible;   /* RFLAGS.IF of L2 */
	bool loses_stack;     /* L2's NMI stack is unmapped in each round: exits while vectoring */
	bool hands_on;        /* L1 injects the NMIs it gets, when L2 can take one */
	bool sends_nmis;      /* each processor to the next, besides interrupts */
	bool no_l2;           /* L1 only: CPUID, VMREAD, VMCLEAR, VMPTRLD */
};

struct receiver {
	const struct mode *mode;
	struct vm *vm;
	u64 *page, *entry;    /* what L2 stores to, and its place in EPT12 */
	u64 *stack_entry;
	u64 stack_page;
	volatile bool ready, stop;
	volatile u32 taken_l1[256]; /* as exits; L1's handlers count in cpus[].counts */
	volatile u32 taken_l2[256];
	volatile u32 inits;
	u32 first[256];       /* cpus[].counts at the start */
	u32 to_hand_on;
	u64 exits, rounds;
};

extern struct receiver receivers[MAX_CPUS];

/* Sends nothing of its own; for a processor that is asked. Ends when `stop` is set. */
void receive(void *receiver);
/* The parts of it, for those that also send. */
void receiver_start(struct receiver *r);
void receiver_step(struct receiver *r);
void receiver_end(struct receiver *r);

void receiver_reset(struct receiver *r, const struct mode *mode);
/* Asks a processor to receive, and waits until it does. */
void receiver_ask(u32 cpu, const struct mode *mode);
/* Tells it to stop, and waits for that. */
void receiver_stop(u32 cpu);

/* Events of a vector taken since the start, by L1 (exits and handlers) and by L2's handlers. */
u32 taken_by_l1(const struct receiver *r, u8 vector);
u32 taken_by_l2(const struct receiver *r, u8 vector);
u32 taken(const struct receiver *r, u8 vector);

/* 0 to limit - 1, from the seed of the run. */
u32 storm_random(u32 limit);
bool has_others(void);
