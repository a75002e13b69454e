/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and NMIs while L0 runs. Nothing is expected but NMIs and the
 * faults of instructions in the fixup table; all else ends in a panic.
 */
#pragma once

#include "vmx/vcpu.h"

/* What vectors.asm pushes. */
struct trap_frame {
	struct regs regs;		/* RSP's place is not filled */
	u64 vector;
	u64 error_code;			/* 0 where the exception has none */
	u64 rip, cs, rflags, rsp, ss;
};

#define HOST_VECTORS 32

/* Loads the IDT, which all CPUs share. */
void host_traps_load(void);

/* Called by vectors.asm. */
void host_trap(struct trap_frame *frame);
