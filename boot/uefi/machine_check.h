/* SPDX-License-Identifier: MIT */
/*
 * Can Testudo run on this processor? Reads CPUID and the VMX capability MSRs
 * (each only when the ones before say that it exists) and tells of each thing
 * that is needed or useful whether it is there, with cause and cure of what is
 * needed and missing. Pure: the readers are arguments.
 */
#pragma once

#include "arch/compiler.h"
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
	char brand[49];			/* CPUID.80000002H and on; "" where there is none */
	u32 signature;			/* CPUID.1:EAX: family, model, stepping */
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
	u64 misc;
	u64 vmfunc;
};

enum machine_state { MACHINE_MISSING, MACHINE_FOUND, MACHINE_UNKNOWN };

/* One thing that was looked for. It is unknown where what would tell is missing itself. */
struct machine_finding {
	enum machine_state state;
	const char *what;
	const char *purpose;
	const char *cause, *cure;	/* of something needed that is missing, else NULL */
};

typedef void machine_tell(void *context, const struct machine_finding *finding);

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

/* Tells of each thing without which Testudo cannot be launched. */
void machine_needs(const struct machine *machine, machine_tell *tell, void *context);

/* Tells of each thing that Testudo uses, or hands on to L1, where it is there (machine_options.c). */
void machine_options(const struct machine *machine, machine_tell *tell, void *context);

/* How many of `wanted` processors can be under Testudo. Where they cannot wait for SIPIs, L1 could start none but the first. */
u32 machine_processors(const struct machine *machine, u32 wanted);

/* A bit of a word of struct machine, and what it says. */
struct machine_bit {
	size_t word;		/* offset in struct machine */
	u64 bit;
	const char *what;
	const char *purpose;
};

#define MACHINE_WORD(member) offsetof(struct machine, member)
/* The allowed 1-settings are the high half of a capability MSR. */
#define MACHINE_ALLOWED_1(bit) (UINT64_C(1) << (32 + (bit)))

static inline bool machine_has(const struct machine *machine, const struct machine_bit *bit)
{
	return *(const u64 *)(const void *)((const char *)machine + bit->word) & bit->bit;
}

/* Fills `faults`; none means that Testudo can be launched. */
void machine_check(const struct machine *machine, struct machine_faults *faults);
