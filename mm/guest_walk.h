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
