/* SPDX-License-Identifier: MIT */
/*
 * Can Testudo run on this processor? Reads CPUID and the VMX capability MSRs
 * (each only when the ones before say that it exists) and names all that is
 * missing, with its cause and cure. Pure: the readers are arguments.
 */
#pragma once

#include "arch/types.h"

#define MACHINE_MAX_FAULTS 32

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

struct machine_reader {
	struct cpuid_result (*cpuid)(void *context, u32 leaf, u32 subleaf);
	u64 (*rdmsr)(void *context, u32 msr);
	void *context;
};

/* Raw values. An MSR that does not exist is 0. */
struct machine {
	char vendor[13];		/* CPUID.0 */
	char hypervisor[13];		/* CPUID.40000000H, where a hypervisor says that it is there */
	bool has_hypervisor;		/* CPUID.1:ECX[31] */
	bool has_vmx;			/* CPUID.1:ECX[5] */
	bool has_nx;			/* CPUID.80000001H:EDX[20] */
	bool has_1g_pages;		/* CPUID.80000001H:EDX[26], and in EPT, too */
	bool is_testudo;		/* the signature of Testudo's own leaves: we run under it */
	u64 cr4;			/* filled by the caller */
	u64 feature_control;
	u64 basic;
	u64 pin, proc, exit, entry;	/* the TRUE MSRs where they exist */
	u64 proc2;
	u64 ept_vpid;
};

struct machine_fault {
	const char *what;		/* is missing */
	const char *cause;
	const char *cure;
};

struct machine_faults {
	u32 count;
	struct machine_fault fault[MACHINE_MAX_FAULTS];
};

void machine_read(struct machine *machine, const struct machine_reader *reader);

/* Fills `faults`; none means that Testudo can be launched. */
void machine_check(const struct machine *machine, struct machine_faults *faults);
