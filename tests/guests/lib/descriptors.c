/* SPDX-License-Identifier: MIT */
/* GDT, TSS and IDT in 64-bit form, for L1 and for its guests alike. */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/x86.h"

#define CODE64 0x00af9b000000ffffull
#define DATA 0x00cf93000000ffffull
#define CODE32 0x00cf9b000000ffffull
#define USER_CODE64 0x00affb000000ffffull
#define USER_DATA 0x00cff3000000ffffull
#define GATE_INTERRUPT 0x8eull
#define IST1_OFFSET 36
#define IST2_OFFSET 44
#define IO_MAP_OFFSET 102

static void set_gate(u64 *gate, u64 handler, u64 ist)
{
	gate[0] = (handler & 0xffff) | (SELECTOR_CODE64 << 16) | (ist << 32) |
		  (GATE_INTERRUPT << 40) | ((handler >> 16 & 0xffff) << 48);
	gate[1] = handler >> 32;
}

static void set_tss_descriptor(u64 *descriptor, u64 base)
{
	descriptor[0] = (sizeof(((struct descriptor_tables *)0)->tss) - 1) |
			((base & 0xffffff) << 16) | (0x89ull << 40) | ((base >> 24 & 0xff) << 56);
	descriptor[1] = base >> 32;
}

void descriptors_build(struct descriptor_tables *t, u64 stubs, u64 stub_size, u64 stack_top)
{
	u16 io_map = sizeof(t->tss);

	memset(t, 0, sizeof(*t));
	t->gdt[SELECTOR_CODE64 / 8] = CODE64;
	t->gdt[SELECTOR_DATA / 8] = DATA;
	t->gdt[SELECTOR_CODE32 / 8] = CODE32;
	t->gdt[SELECTOR_USER_CODE64 / 8] = USER_CODE64;
	t->gdt[SELECTOR_USER_DATA / 8] = USER_DATA;
	set_tss_descriptor(&t->gdt[SELECTOR_TSS / 8], (u64)t->tss);
	memcpy(t->tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	memcpy(t->tss + IO_MAP_OFFSET, &io_map, sizeof(io_map));
	for (u32 vector = 0; vector < 256; vector++)
		set_gate(&t->idt[vector * 2u], stubs + vector * stub_size, 1);
}

void descriptors_nmi_stack(struct descriptor_tables *t, u64 stack_top)
{
	u64 *gate = &t->idt[VECTOR_NMI * 2u];

	memcpy(t->tss + IST2_OFFSET, &stack_top, sizeof(stack_top));
	*gate = (*gate & ~(7ull << 32)) | (2ull << 32);
}
