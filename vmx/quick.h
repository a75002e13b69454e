/* SPDX-License-Identifier: MIT */
/*
 * The exits that are over in a few hundred instructions, called by entry.asm right
 * after a VM exit. Whatever is out of the ordinary goes the long way, vmx/run.c, which
 * is complete without this: nothing is decided here that would come out otherwise there.
 */
#pragma once

#include "vmx/vcpu.h"

/* Answers of quick_handle() besides a pointer to `regs`, which means: VMRESUME at once with these. */
#define QUICK_NO 0	/* the long way */
#define QUICK_ALL_TRACED 1	/* ask quick_handle_all_traced(), which needs all registers in `regs` */
#define QUICK_ALL 2	/* the same of quick_handle_all() */
#define QUICK_RBX 3	/* VMRESUME at once, and RBX too is to be loaded from `regs` */

/* The exit of the current VMCS. Only the registers that C functions may change are in `regs`. */
u64 quick_handle(struct vcpu *vcpu);
/* The same, after QUICK_ALL; QUICK_NO or `regs`. */
u64 quick_handle_all(struct vcpu *vcpu);
u64 quick_handle_all_traced(struct vcpu *vcpu);

/*
 * L0 has done what was to do for an exit of L2: it goes on where it was, with what was being delivered to it. Unless it
 * came to an exit to L1 after all.
 */
u64 quick_go_on(struct vcpu *vcpu, u32 reason);
