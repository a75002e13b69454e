/* SPDX-License-Identifier: MIT */
/* Internal to switch_*.c: what entering and leaving L2 share. */
#pragma once

#include "vmx/nested/check.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"

/* Writes a field of vmcs02, which is current, and remembers it. */
void switch_write_field02(struct nested_slot *slot, vmcs_field field, u64 value);

/* The PDPTEs that MOV to CR3 would load, from L1's memory. */
void switch_read_pdptes(const struct nested *nested, u64 cr3, u64 pdpte[4]);

/*
 * Reads an MSR list of L1 once into L0's memory. An entry that must be refused is made
 * one that hardware refuses at that place.
 */
void switch_fetch_list(struct nested *nested, struct msr_entry *list, u64 address, u32 count, bool at_exit);

/* L1's state that L2 inherits. vmcs01 is current. */
struct merge_l1_state switch_l1_state(const struct vcpu *vcpu);

/* Exit controls that load what else stays in the processor; and doing so, with vmcs01 current. switch_protection.c. */
#define SWITCH_PROTECTION (EXIT_LOAD_CET_STATE | EXIT_LOAD_PKRS | EXIT_CLEAR_UINV)
void switch_load_protection(struct vcpu *vcpu, const struct vmcs12 *vmcs12);

/* IA32_PERF_GLOBAL_CTRL of L2 into vmcs12. */
void switch_save_perf_global_ctrl(struct nested_slot *slot);

/* What the entry checks look at. vmcs01 is current. */
struct entry_context switch_entry_context(struct vcpu *vcpu);

/* The record of a refused entry, its counter, and, unless it was said before, a line: rule, field, value, SDM section. */
void switch_report_refusal(struct vcpu *vcpu, const struct entry_failure *failure);

/* SDM "Saving Guest State": the hot fields into vmcs12; the rare ones stay where they are. vmcs02 is current. */
void switch_save_guest(const struct nested *nested, struct nested_slot *slot);

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields", without the latter. vmcs02 is current. */
void switch_record_exit(const struct nested *nested, struct nested_slot *slot, const struct vm_exit *exit);

/* What L1 keeps in memory for vmcs02, as it is now, and the flushes that are due. False: EPT02 is at another place. */
bool switch_refresh_tables(struct vcpu *vcpu, struct nested_slot *slot);

/* The same for VMCS shadowing: the shadow VMCS that L1 links, and its bitmaps. vmcs01 is current, and is afterwards. */
bool switch_refresh_shadow(struct vcpu *vcpu, struct nested_slot *slot);

/* Drops what was cached for VPID 0, which is where L1 lives in its own eyes. */
void switch_flush_vpid0(const struct nested *nested);
