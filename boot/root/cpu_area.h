/* SPDX-License-Identifier: MIT */
/*
 * Everything that bring-up keeps per CPU: what GS reaches, the descriptor
 * tables, and the firmware's state to go back to when the launch fails.
 */
#pragma once

#include "arch/descriptors.h"
#include "arch/percpu.h"
#include "boot/root/firmware_state.h"
#include "mm/addr.h"
#include "vmx/vcpu.h"

struct cpu_area {
	struct percpu cpu;		/* first: GS points here */
	u64 gdt[5];			/* null, code, data, TSS (two words) */
	struct tss tss;
	struct firmware_state firmware;
	u64 vmxon_region;		/* hpa */
	struct vcpu vcpu;
};

#define CPU_AREA_PAGES ((sizeof(struct cpu_area) + PAGE_SIZE - 1) / PAGE_SIZE)

/* Pages of each stack; a guard page lies below every one. */
#define STACK_PAGES 4
#define IST_STACK_PAGES 2
