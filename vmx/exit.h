/* SPDX-License-Identifier: MIT */
/*
 * A VM exit as a value: the reason and what every path needs, read once from
 * the current VMCS; the rest is read by whoever needs it. Pure.
 */
#pragma once

#include "arch/types.h"
#include "vmx/events.h"

/* EXIT_CPUID and so on. SDM "VMX Basic Exit Reasons". */
enum {
#define X(number, name, handler, rule) EXIT_##name = number,
#include "vmx/exits.def"
#undef X
};

#define EXIT_REASON_COUNT 78			/* known numbers are below this */
#define EXIT_REASON_BASIC UINT32_C(0x0000ffff)
#define EXIT_REASON_ENTRY_FAILURE (UINT32_C(1) << 31)

/* Of EPT violations, and of what comes in their place: an IRET has ended blocking. SDM "Exit Qualification for EPT Violations". */
#define QUALIFICATION_NMI_UNBLOCKING BIT(12)

/* SDM "Exit Qualification for I/O Instructions". */
#define IO_SIZE BITS(2, 0)	/* less 1 */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT BITS(31, 16)

struct vm_exit {
	u32 reason;			/* the whole field */
	u16 basic;			/* its low 16 bits: EXIT_... */
	bool entry_failure;		/* bit 31 */
	u64 qualification;
	u32 interruption_information;	/* of the exit: exceptions, NMIs, acknowledged interrupts */
};

static inline bool exit_is_nmi(const struct vm_exit *exit)
{
	return exit->basic == EXIT_EXCEPTION_OR_NMI && interruption_is_nmi(exit->interruption_information);
}

/* The name of a basic exit reason, or "UNKNOWN". */
const char *exit_name(u32 basic);
