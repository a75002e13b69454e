/* SPDX-License-Identifier: MIT */
/* What CPUID tells L1. */
#pragma once

#include "vmx/vcpu.h"

/* Is the processor's own answer L1's? Not so of others as a rule: handle_cpuid_answer() knows. */
static inline bool handle_cpuid_is_plain(u32 leaf)
{
	const u32 changed = 1u << 1 | 1u << 7 | 1u << 0x14; /* what depends on CR4, and processor trace */

	return leaf < 32 && !(changed >> leaf & 1);
}

/* Puts the answer to RAX and RCX into `regs`. */
void handle_cpuid_answer(struct vcpu *vcpu);
