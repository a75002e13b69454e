/* SPDX-License-Identifier: MIT */
/*
 * One virtual processor: L1 (and what L1 runs) on one real CPU. entry.asm
 * enters the guest and comes back; all else about the guest is in the VMCS.
 */
#pragma once

#include "vmx/machine.h"
#include "vmx/trace_ring.h"
#include "vmx/vmcs.h"

/* Numbered as instructions number them; RSP's place is spare, the VMCS has it. */
enum {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	REG_COUNT
};

struct regs {
	u64 gpr[REG_COUNT];
};

/* Belongs to vmx/trace_exits.c. */
struct trace {
	struct trace_ring ring;
	struct trace_transition now;	/* the exit being handled, or the last one */
	u64 began;			/* TSC, when `now` was complete */
	bool is_open;			/* it has not been put into the ring */
};

struct vcpu {
	struct regs regs;		/* of whichever level runs */
	struct vmcs vmcs01;
	struct machine *machine;
	struct percpu *cpu;
	struct vmcs *running;		/* vmcs01, or the vmcs02 of L1's current VMCS while L2 runs */
	struct nested *nested;		/* vmx/nested/nested.h */
	struct trace trace;
};

/* How vcpu_enter() ended. */
enum entry_result {
	ENTRY_EXITED,
	ENTRY_FAILED_VALID,	/* VMfailValid: VM_INSTRUCTION_ERROR says why */
	ENTRY_FAILED_INVALID,
	ENTRY_NMI		/* not entered: percpu()->nmi_pending is set (or a lock is held) */
};

/*
 * VMLAUNCH, or VMRESUME when `launched`, on the current VMCS; returns at the
 * next VM exit, or at once when the instruction failed. Guest registers but RSP
 * are loaded from and saved to `regs`. The VMCS must have this CPU's host state
 * (vmx/host_state.h).
 *
 * An NMI in root mode sets percpu()->nmi_pending, up to the very instruction
 * before the entry: nothing is entered while it is set. So the caller clears
 * it, remembers that an NMI is due, and delivers it when the guest can take it.
 */
u64 vcpu_enter(struct regs *regs, bool launched);

/* HOST_RIP; not to be called. */
void vcpu_exit(void);

/* The same in every VMCS of this CPU. */
static inline u64 vcpu_host_rsp(const struct percpu *cpu)
{
	return (u64)(uintptr_t)&cpu->exit_frame.regs;
}
