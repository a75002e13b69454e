/* SPDX-License-Identifier: MIT */
/*
 * What guests can bring about on a processor: which exits are possible with the VMCS
 * that runs, and accesses to memory by way of the caches. L0 panics at exits that hardware
 * does not give, and rightly, so tests must not make them up.
 */
#pragma once

#include "tests/model/model.h"

/* Can whoever runs exit so? `msr` and `qualification` count where the reason depends on them. */
bool guest_can_exit(const struct model_exit *exit, u32 msr);

/* --- linear accesses, judged by what L1 may expect of its TLB ------------------------------ */

#define GUEST_PAGES 8

void guest_accesses_begin(void);
/* The guest that runs reads its linear page n (below GUEST_PAGES): exits as often as it must. False: L1 got an exit. */
bool guest_access(u32 n, u64 access);
/* The page of memory that the last access came to. */
extern u64 guest_accessed;
/* Its page tables now have another guest-physical page there; nobody invalidates anything. */
void guest_edit(u32 n, u64 physical);
/* What L1 has invalidated, entered and left, in its own eyes. */
void guest_note_invvpid(u64 type, u16 vpid12, u32 n);
void guest_note_invept(u64 type, u64 eptp12);
void guest_note_switch(const struct vmcs12 *vmcs12);

static inline u64 guest_linear(u32 n)
{
	return UINT64_C(0x7f0000000000) + n * UINT64_C(0x1000);
}
