/* SPDX-License-Identifier: MIT */
/*
 * The checks of VM entry on vmcs12, in the SDM's order and words: arrays of
 * named predicates over plain structs. SDM "VM Entries". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"
#include "vmx/nested/vmcs12.h"

/* All that a check may look at. */
struct entry_context {
	const struct vmcs12 *vmcs12;
	const struct vmx_caps *caps;		/* as shown to L1 */
	const struct l1_memory *memory;
	l1_gpa_t vmcs12_address;		/* where L1 keeps this vmcs12 */
	bool l1_in_long_mode;			/* L1's IA32_EFER.LMA at VM entry */
};

/* Why an entry was refused. Strings are constant. */
struct entry_failure {
	const char *rule;	/* what is wrong, in words: "guest CS access rights: D/B and L both set" */
	vmcs_field field;	/* the field that shows it */
	u64 value;		/* its value */
	const char *section;	/* SDM section title */
	u64 qualification;	/* exit qualification, guest-state checks and MSR lists only */
	u16 number;		/* the rule's, docs/refusals.md */
	u16 result;		/* enum refusal_result: what L1 gets */
};

/* What a refused entry gives L1: VMfail with an error number, or a VM exit with REFUSAL_EXIT and its basic reason. */
#define REFUSAL_EXIT 0x8000
enum refusal_result {
	REFUSAL_CONTROLS = 7,
	REFUSAL_HOST = 8,
	REFUSAL_GUEST = REFUSAL_EXIT | 33,
	REFUSAL_MSRS = REFUSAL_EXIT | 34
};

/* Rules that are no rows of check_*.c. */
enum entry_rule {
	RULE_LACKING_CONTROLS = 1,	/* the processor refused controls, host or guest state, and no check says why */
	RULE_LACKING_HOST = 2,
	RULE_LACKING_GUEST = 3,
	RULE_MSR_LOAD = 4,		/* an entry of the VM-entry MSR-load list */
	RULE_PDPTES_IN_MEMORY = 5,	/* check_pdptes */
	RULE_NUMBERS = 768		/* every number is less */
};

/* Qualification of exit reason 33. SDM "VM-Entry Failures During or After Loading Guest State". */
enum { ENTRY_FAIL_DEFAULT = 0, ENTRY_FAIL_PDPTE = 2, ENTRY_FAIL_NMI = 3, ENTRY_FAIL_LINK_POINTER = 4 };

/*
 * Each returns true when all holds, else false with `failure` filled.
 * check_controls: VMfail 7; check_host: VMfail 8; check_guest: exit reason 33.
 */
bool check_controls(const struct entry_context *context, struct entry_failure *failure) must_check;
bool check_host(const struct entry_context *context, struct entry_failure *failure) must_check;
bool check_guest(const struct entry_context *context, struct entry_failure *failure) must_check;

/*
 * The part of check_guest that hardware cannot do for us: vmcs02 has L0's link
 * pointer, not L1's.
 */
bool check_link_pointer(const struct entry_context *context, struct entry_failure *failure) must_check;

/* Rules that some processors have and others have not: not asked before an entry, but when it was refused. */
bool check_left_to_processor(const struct entry_context *context, struct entry_failure *failure) must_check;

/* Would VM entry accept this EPTP? Also asked by INVEPT. SDM "VM-Execution Control Fields". */
bool check_is_eptp_valid(const struct vmx_caps *caps, u64 eptp) must_check;

/* Does vmcs12's guest use PAE paging, and hence PDPTEs? SDM "Checks on Guest Page-Directory-Pointer-Table Entries". */
bool check_uses_pae_paging(const struct vmcs12 *vmcs12);

/*
 * Would a MOV to CR3 accept these? For a guest with PAE paging and without EPT,
 * whose PDPTEs are in memory at CR3; on false: reason 33, ENTRY_FAIL_PDPTE.
 */
bool check_pdptes(const struct vmx_caps *caps, const u64 pdpte[4]) must_check;

/*
 * Controls and host state that passed need not be looked at again at every
 * VMRESUME. The memo keeps the values of the fields that change without L0 seeing
 * it (VMCS shadowing) or by L0 itself; whoever changes any other field for L1
 * (VMWRITE that exits, VMPTRLD) calls check_forget().
 */
#define CHECK_WATCHED 11

struct check_memo {
	bool valid;
	bool l1_in_long_mode;
	u64 watched[CHECK_WATCHED];
};

/* After check_controls and check_host have passed. */
void check_remember(struct check_memo *memo, const struct entry_context *context);

/* Would check_controls and check_host pass because they did? False when in doubt. */
bool check_is_remembered(const struct check_memo *memo, const struct entry_context *context) must_check;

static inline void check_forget(struct check_memo *memo)
{
	memo->valid = false;
}
