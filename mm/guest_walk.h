/* SPDX-License-Identifier: MIT */
/*
 * Walks a guest's own page tables in software: linear to physical of L1, with
 * the permission checks, faults and accessed/dirty updates of the processor,
 * and bounded copies on top of it. SDM "Paging". Pure: memory only through
 * mm/l1_memory.h.
 *
 * Shadow-stack pages need no rule of their own: they are not writable, and CR4.CET
 * goes with CR0.WP. SDM "Determination of Access Rights", "Protection Keys".
 */
#pragma once

#include "arch/atomic.h"
#include "arch/compiler.h"
#include "mm/l1_memory.h"

/* The guest's registers that paging depends on. */
struct guest_paging {
	u64 cr0, cr3, cr4, efer, rflags;
	u64 pdpte[4];			/* used with PAE paging: as loaded, not as in memory */
	u32 pkru, pkrs;			/* rights by protection key, where CR4.PKE and CR4.PKS put them in force */
	u8 cpl;
	u8 physical_address_bits;
	bool pages_1g;			/* CPUID.80000001H:EDX[26] */
};

enum guest_access { GUEST_READ, GUEST_WRITE, GUEST_FETCH };

/* An exception to inject into the guest. */
struct guest_fault {
	u8 vector;			/* VECTOR_PF */
	u32 error_code;
	u64 cr2;
};

/* Page-fault error code. SDM "Page-Fault Exceptions". */
#define PF_PRESENT BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH BIT(4)
#define PF_PROTECTION_KEY BIT(5)

/* Translates one byte; false with `fault` filled when the guest must get one. */
bool guest_walk(const struct l1_memory *memory, const struct guest_paging *paging, gva_t linear,
		enum guest_access access, l1_gpa_t *physical, struct guest_fault *fault) must_check;

/*
 * Copies up to a page between L0 and the guest; may cross into one more page.
 * Nothing is written to the guest when any byte of the range faults.
 */
bool guest_copy_in(const struct l1_memory *memory, const struct guest_paging *paging, gva_t from, void *to, u32 size,
		   struct guest_fault *fault) must_check;
bool guest_copy_out(const struct l1_memory *memory, const struct guest_paging *paging, gva_t to, const void *from,
		    u32 size, struct guest_fault *fault) must_check;

/*
 * A walk that ended well, to be compared instead of repeated: each entry names the next, so while all of them are what
 * they were, the walk would end in the same page with the same rights. Nothing is cached as a TLB does, and
 * no invalidation matters. Only supervisor pages, for accesses at CPL 0.
 */
#define GUEST_WALK_LEVELS 5
#define GUEST_WALK_COMPARED 4	/* with fewer levels some are compared twice; with more, none is */

struct aligned(128) guest_walk_memo {	/* a power of two: one is found by a shift */
	u64 page;			/* bits 63:12 of the linear address */
	u64 cr3, cr4, efer;		/* the guest's */
	u8 *target;			/* the page, where L0 sees it; NULL: this walk cannot be compared */
	bool writable;			/* and dirty */
	const u64 *entry[GUEST_WALK_COMPARED];
	u64 value[GUEST_WALK_COMPARED];
};

/* Walks, and remembers the walk if it can be compared. For L1 in IA-32e mode. */
void guest_walk_remember(const struct l1_memory *memory, const struct guest_paging *paging, gva_t linear,
			 struct guest_walk_memo *memo);

/* Of a memo with a target: is what the entries said still so? */
static inline bool guest_walk_holds(const struct guest_walk_memo *memo)
{
	return atomic_read64(memo->entry[0]) == memo->value[0] && atomic_read64(memo->entry[1]) == memo->value[1] &&
	       atomic_read64(memo->entry[2]) == memo->value[2] && atomic_read64(memo->entry[3]) == memo->value[3];
}
