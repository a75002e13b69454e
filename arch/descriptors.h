/* SPDX-License-Identifier: MIT */
/*
 * L0's selectors and descriptor formats. SDM "Segment Descriptors", "TSS
 * Descriptor in 64-bit mode", "64-Bit Mode IDT".
 */
#pragma once

#include "arch/bits.h"
#include "arch/compiler.h"

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18

#define SELECTOR_RPL BITS(1, 0)
#define SELECTOR_TI BIT(2)	/* refers to the LDT */

/* Present, DPL 0; accessed, so that the processor need not write to it. */
#define DESCRIPTOR_CODE64 UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_TSS_AVAILABLE UINT64_C(0x0000890000000000)

/* SDM "Task Management in 64-bit Mode". */
struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];		/* IST1 first */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
} packed;

static_assert(sizeof(struct tss) == 104, "as the processor reads it");

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

static_assert(sizeof(struct gate) == 16, "as the processor reads it");

#define GATE_INTERRUPT 0x8e	/* present, DPL 0, 64-bit interrupt gate */
