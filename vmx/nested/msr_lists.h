/* SPDX-License-Identifier: MIT */
/*
 * The MSR load and store areas of vmcs12: read once from L1 into L0's memory,
 * checked there, and handed to hardware from there. SDM "Loading MSRs" (VM
 * entry, VM exit), "Saving MSRs". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"

/* SDM "VM-Exit Controls for MSRs": one 16-byte entry. */
struct msr_entry {
	u32 index;
	u32 reserved;
	u64 value;
};

static_assert(sizeof(struct msr_entry) == 16, "as the processor reads it");

/* The most that we copy: two pages. IA32_VMX_MISC shown to L1 says no more. */
#define MSR_LIST_MAX 512

/* Copies `count` entries (at most MSR_LIST_MAX) from L1. */
void msr_list_read(const struct l1_memory *memory, l1_gpa_t from, u32 count, struct msr_entry *to);

/*
 * The 1-based number of the first entry that a load at VM entry (or, with
 * `at_exit`, at VM exit) must refuse, or 0. Only what hardware might let pass on
 * our merged VMCS is looked at: the rest is hardware's to refuse.
 */
u32 msr_list_refused_load(const struct msr_entry *list, u32 count, bool at_exit, bool x2apic);

/* MSRs that the processor may have and that L1 must not see, let alone write. */
bool msr_list_is_hidden(u32 index);

/* The same for the store list at VM exit. */
u32 msr_list_refused_store(const struct msr_entry *list, u32 count, bool x2apic);

/*
 * Would this write lay the local APIC's registers over the hidden block? They answer
 * at their address in place of memory, for L0 too, so nobody may put them there.
 */
bool msr_hides_block(const struct l1_memory *memory, u32 index, u64 value);

/* Does the list load an MSR that changes memory types (MTRRs)? */
bool msr_list_touches_mtrrs(const struct msr_entry *list, u32 count);
