/* SPDX-License-Identifier: MIT */
/*
 * A processor with VMX on the host, so that the files of L0 that execute its
 * instructions run in tests: VMCS regions as objects, VM entries that check what
 * hardware checks, VM exits that save what hardware saves, MSRs, and caches of
 * translations that forget only when they must (tests/model/tlb.h). It knows
 * nothing of nesting: what L0 may give it is judged by tests/model/oracles.c.
 */
#pragma once

#include "tests/model/tlb.h"
#include "tests/unit/ept_model.h"
#include "vmx/vcpu.h"

#define MODEL_REGIONS 64
#define MODEL_MSRS 96

/* What the processor keeps of one VMCS region. */
struct model_region {
	u64 address;			/* 0: free */
	bool active;			/* its content need not be in memory, where a link pointer finds it */
	bool launched, shadow;
	struct vmcs_image fields;
};

struct model_msr {
	u32 index;
	u64 value;
	u64 may_be_1;			/* WRMSR of other bits is #GP */
};

/* A VM exit as the processor records it. */
struct model_exit {
	u32 reason;
	u64 qualification;
	u32 interruption_information, error_code;
	u32 vectoring_information, vectoring_error_code;
	u32 length, instruction_information;
	u64 linear, physical;
};

struct processor {
	struct vmx_caps caps;
	struct model_region regions[MODEL_REGIONS];
	struct model_region *current;
	struct model_msr msrs[MODEL_MSRS];
	u32 msr_count;
	bool exit_pending;		/* an entry ended in an exit before the guest ran */
	bool in_guest;
	u64 vmreads;			/* that L0 has executed */
	u32 refuse_with;		/* the next entry to L2 fails with this VM-instruction error */
	u32 fail_with;			/* the next entry to L2 fails with this exit reason, after loading guest state */
	bool init_pending;		/* INIT came in root operation, which blocks it */
	u64 entries, vmfails, entry_failures;
	u64 injected;			/* VM-entry interruption information of the last entry */
	u32 injected_error_code;
	const char *refused_rule;	/* why an entry was refused by the model's own checks */
	u64 ports_written;
	u64 cr2, ssp;
	struct model_tlb tlb;		/* linear and combined mappings */
	struct model_processor guest_physical;
};

extern struct processor processor;

/* After reset: no VMCS, MSRs as these capabilities have them. */
void processor_reset(const struct vmx_caps *caps);

/* The MSR, or NULL. */
struct model_msr *processor_msr(u32 index);

/* The region at this address, or NULL where none has been used yet. */
struct model_region *processor_region(u64 address);

/* A field of the current VMCS, the guest's own registers among them. */
u64 *processor_field(vmcs_field field);

/* The guest that runs exits. */
void processor_exit(const struct model_exit *exit);

/* protection.c: at entry and at exit. */
void protection_load(void);
void protection_save(void);

/* Broken rules of the model and oracles: says which, and aborts. */
#define require(condition) ((condition) ? (void)0 : broken_rule(#condition, __FILE__, __LINE__))
noreturn void broken_rule(const char *rule, const char *file, int line);
