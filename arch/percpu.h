/* SPDX-License-Identifier: MIT */
/*
 * What belongs to one processor, reached through the GS base that every VM
 * exit loads. Upper levels hang their own state on the pointers; this level
 * knows none of it.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

#ifdef HOST_TEST
#error "GS is the C library's in host tests"
#endif

struct vcpu;
struct vmcs;
struct handoff;
struct lock;

/* Room for vmx/counters.h, which gives them their meaning. */
#define PERCPU_COUNTERS 256

/*
 * Where a VM exit lands: HOST_RSP is &exit_frame.regs in every VMCS of this
 * CPU, so that entry.asm can push one register before it has any other.
 */
struct exit_frame {
	u64 scratch;
	u64 regs;		/* struct regs of the vcpu_enter() under way */
	u64 rsp;		/* its stack pointer */
};

struct percpu {
	struct percpu *self;	/* at GS:0 */
	/* One word for vcpu_enter(), which enters only when it is 0. */
	u32 nmi_pending;	/* an NMI came while in root mode */
	u32 locks_held;

	u32 index;		/* as in the handoff */
	struct lock *newest_lock;	/* drivers/lock.h */
	struct exit_frame exit_frame;
	const struct vmcs *current_vmcs;
	struct vcpu *vcpu;
	const struct handoff *handoff;
	u64 counter[PERCPU_COUNTERS];

	u64 own_init_until;	/* vmx/stop.h */
	bool waits_for_sipi;	/* L1 does, so that INIT would not reach this processor: for others to see */

	u64 tss_base;		/* as HOST_TR_BASE wants it */
	u64 stack_top;		/* the root kernel's stack of this CPU */
	u64 ist_top[3];		/* enum ist in boot/root/host_cpu.h */
};

static_assert(offsetof(struct percpu, nmi_pending) % sizeof(u64) == 0 &&
	      offsetof(struct percpu, locks_held) == offsetof(struct percpu, nmi_pending) + sizeof(u32), "compared as one word");

static inline struct percpu *percpu(void)
{
	struct percpu *self;
	__asm__("movq %%gs:0, %0" : "=r"(self));
	return self;
}

/* One instruction, as it stands on the hottest paths: no memory clobber, so read them through volatile. `first` is a constant. */
static inline void percpu_count(u32 first, u64 index)
{
	__asm__ volatile("incq %%gs:%c1(,%q0,8)"
			 : : "r"(index), "i"(offsetof(struct percpu, counter) + sizeof(u64) * first) : "cc");
}

/* The same way: see vmx/vmcs.h. */
static inline void percpu_set_current_vmcs(const struct vmcs *vmcs)
{
	__asm__ volatile("movq %0, %%gs:%c1" : : "r"(vmcs), "i"(offsetof(struct percpu, current_vmcs)) : "memory");
}
