/* SPDX-License-Identifier: MIT */
/* See tests/model/tlb.h. A full table forgets its oldest entry, as any cache may. */
#include "tests/model/tlb.h"

#include <stddef.h>

#include "arch/vmx_ops.h"

void tlb_insert(struct model_tlb *tlb, const struct tlb_entry *entry)
{
	u32 place = 0;

	while (place < TLB_ENTRIES - 1 && tlb->entries[place].valid)
		place++;
	if (tlb->entries[place].valid)
		for (u32 i = 0; i + 1 < TLB_ENTRIES; i++)
			tlb->entries[i] = tlb->entries[i + 1];
	tlb->entries[place] = *entry;
	tlb->entries[place].valid = true;
}

const struct tlb_entry *tlb_find(const struct model_tlb *tlb, u16 vpid, u64 ep4ta, u64 linear, const struct tlb_entry *after)
{
	for (const struct tlb_entry *entry = after ? after + 1 : tlb->entries; entry < tlb->entries + TLB_ENTRIES; entry++)
		if (entry->valid && entry->vpid == vpid && entry->ep4ta == ep4ta && entry->linear == linear)
			return entry;
	return NULL;
}

void tlb_invvpid(struct model_tlb *tlb, u64 type, u16 vpid, u64 linear)
{
	for (u32 i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *entry = &tlb->entries[i];
		bool own = entry->vpid == vpid;

		if (type == INVVPID_ADDRESS && own && entry->linear == linear)
			entry->valid = false;
		if (type == INVVPID_SINGLE && own)
			entry->valid = false;
		if (type == INVVPID_ALL && entry->vpid != 0)
			entry->valid = false;
		if (type == INVVPID_SINGLE_RETAINING_GLOBALS && own && !entry->global)
			entry->valid = false;
	}
}

void tlb_invept(struct model_tlb *tlb, u64 type, u64 ep4ta)
{
	for (u32 i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *entry = &tlb->entries[i];

		if (entry->ep4ta != 0 && (type == INVEPT_ALL || entry->ep4ta == ep4ta))
			entry->valid = false;
	}
}

void tlb_flush_vpid(struct model_tlb *tlb, u16 vpid)
{
	for (u32 i = 0; i < TLB_ENTRIES; i++)
		if (tlb->entries[i].vpid == vpid)
			tlb->entries[i].valid = false;
}

void tlb_violation(struct model_tlb *tlb, u64 ep4ta, u64 physical)
{
	for (u32 i = 0; i < TLB_ENTRIES; i++)
		if (tlb->entries[i].ep4ta == ep4ta && tlb->entries[i].physical == physical)
			tlb->entries[i].valid = false;
}
