/* SPDX-License-Identifier: MIT */
/*
 * What a processor may cache of translations, without ever forgetting by itself: SDM
 * "Caching Translation Information". Linear and combined mappings with their VPID, PCID
 * left out, guest-physical mappings in tests/unit/ept_model.h. Beside it stands the same
 * structure as L1 is to see it (vpid12, EP4TA12): what the processor uses must be in it.
 */
#pragma once

#include "arch/types.h"

#define TLB_ENTRIES 256

/* A mapping that a processor has: of a linear page, under a VPID and an EP4TA (0: no EPT). */
struct tlb_entry {
	bool valid, global;
	u16 vpid;
	u64 ep4ta;
	u64 linear;
	u64 to;			/* whatever the linear page stood for when it was cached */
	u64 physical;		/* the guest-physical page on the way */
};

struct model_tlb {
	struct tlb_entry entries[TLB_ENTRIES];
};

void tlb_insert(struct model_tlb *tlb, const struct tlb_entry *entry);
/* A cached mapping, whichever: `at` goes on from there; NULL when there is none more. */
const struct tlb_entry *tlb_find(const struct model_tlb *tlb, u16 vpid, u64 ep4ta, u64 linear, const struct tlb_entry *after);

/* SDM "Operations that Invalidate Cached Mappings". */
void tlb_invvpid(struct model_tlb *tlb, u64 type, u16 vpid, u64 linear);
void tlb_invept(struct model_tlb *tlb, u64 type, u64 ep4ta);
/* Entries and exits without VPIDs. */
void tlb_flush_vpid(struct model_tlb *tlb, u16 vpid);
/* An EPT violation forgets what is about its address. */
void tlb_violation(struct model_tlb *tlb, u64 ep4ta, u64 physical);
