/* SPDX-License-Identifier: MIT */
/*
 * A processor and a vmcs12 that VM entry accepts, for tests to break one rule at
 * a time. Everything is plain data; memory is the fake arena.
 */
#pragma once

#include "vmx/nested/check.h"

/* What kind of guest, host and processor a valid vmcs12 describes. */
enum builder_kind {
	BUILD_LONG,		/* 64-bit guest and host, EPT and VPID */
	BUILD_LONG_NO_EPT,	/* the same without secondary controls */
	BUILD_EVERYTHING,	/* BUILD_LONG, and a processor that offers L1 all of controls.def */
	BUILD_PAE,		/* 32-bit guest with PAE paging and EPT */
	BUILD_V8086,		/* virtual-8086 guest */
	BUILD_REAL,		/* unrestricted guest in real mode */
	BUILD_32_BIT_HOST,	/* L1 and L2 outside IA-32e mode */
	BUILD_KIND_COUNT
};

/* Places in the arena. */
#define BUILDER_VIRTUAL_APIC UINT64_C(0x10000)
#define BUILDER_SHADOW UINT64_C(0x20000)	/* a region with the right revision, bit 31 set */
#define BUILDER_REGION UINT64_C(0x21000)	/* the same, bit 31 clear */
#define BUILDER_OTHER UINT64_C(0x22000)		/* another revision */
#define BUILDER_VMCS12 UINT64_C(0x30000)	/* where L1 keeps the vmcs12 */
#define BUILDER_PHYSICAL_BITS 40

struct builder {
	struct vmx_caps hardware;
	struct vmx_caps offered;
	struct l1_memory memory;
	struct vmcs12 vmcs12;
	struct entry_context context;
};

/* A processor that has every control of controls.def. */
void builder_hardware(struct vmx_caps *caps);

/* Fills all of `builder`, the arena's places included. */
void builder_init(struct builder *builder, enum builder_kind kind);
