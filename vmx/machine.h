/* SPDX-License-Identifier: MIT */
/*
 * What all processors share: made once by the first CPU that comes up, and
 * constant afterwards except EPT01's memory types (vmx/ept01.c has the lock).
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"

struct ept01;
struct vcpu;
struct handoff;

struct machine {
	const struct handoff *handoff;
	struct vmx_caps hardware;	/* of the real processors */
	struct l1_memory memory;
	struct ept01 *ept01;
	bool pages_1g;			/* CPUID.80000001H:EDX[26]: in page tables */
	u64 eptp01;			/* for vmcs01 */
	void *msr_bitmap;		/* of L1: one page, shared */
	u8 *io_bitmaps;			/* of L1: two pages, shared; NULL: no port is watched */
	u32 heartbeat;			/* VMX-preemption timer value; 0: L0 has none: vmx/heartbeat.h */
	void (*stop_point)(struct vcpu *vcpu);	/* where a stop of all processors is spent: vmx/stop.h */
};
