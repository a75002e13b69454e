/* SPDX-License-Identifier: MIT */
/*
 * The pieces of the borders guest: L2s of all kinds that VM entry takes, changes
 * to them, and what VM entry makes of it.
 */
#pragma once

#include "tests/guests/lib/vm.h"

/*
 * What VM entry reads from memory is changed like a field; its numbers lie above
 * those of fields. A kind of L2 need not have all of them.
 */
#define IN_MEMORY 0x8000u
enum {
	MEMORY_VTPR = IN_MEMORY,
	MEMORY_PDPTE0, /* and three more */
	MEMORY_PDPTE1,
	MEMORY_PDPTE2,
	MEMORY_PDPTE3,
	MEMORY_MSR_INDEX, /* entry 0 of the VM-entry MSR-load list: index and the reserved half, then the data */
	MEMORY_MSR_DATA,
	MEMORY_END,
};

struct subject {
	const char *name;
	struct vm *vm;
	u64 start, end; /* its memory */
	u64 *memory[MEMORY_END - IN_MEMORY];
	u64 *base; /* of the fields that VM exits save (verdict.c) */
};

struct change {
	u32 field;
	bool absent; /* the processor has no such field */
	u64 old, new;
};

#define MAX_CHANGES 9

struct launch {
	struct subject *subject;
	u64 random;
	u32 count;
	struct change changes[MAX_CHANGES];
};

/* kinds.c */
struct subject *subjects_make(u32 *count);

/* mutations.c: the changes of a launch, from its number and the seed alone. */
void mutations_choose(struct launch *launch);
u64 random_next(u64 *stream);

/* verdict.c */
bool verdict_read_field(const struct subject *subject, u32 field, u64 *value);
void verdict_remember(struct subject *subject);
/* Makes the changes, enters, says what came of it with say(), and puts everything back. */
void verdict_say(struct launch *launch);
