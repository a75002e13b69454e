/* SPDX-License-Identifier: MIT */
/* The program's GDT and IDT, in 32-bit form. SDM "Segment Descriptors", "IDT Descriptors". */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"

#define IDT_GATES 32u
#define INTERRUPT_GATE_32 0x8e00ull

#define ACCESS_DATA 0x93u
#define ACCESS_DATA_EXPAND_DOWN 0x97u
#define ACCESS_DATA_READ_ONLY 0x91u
#define ACCESS_CODE_READABLE 0x9bu
#define FLAGS_G 8u
#define FLAGS_DB 4u
#define LIMIT_4GB 0xfffffu

static u64 descriptor(u64 base, u64 limit, u64 access, u64 flags)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 0xf) << 48 | flags << 52 |
	       (base >> 24 & 0xff) << 56;
}

static void set_register(u8 to[10], const void *table, u64 size)
{
	struct table_register r = { (u16)(size - 1), (u64)table };

	memcpy(to, &r, sizeof(r));
}

static void make_gdt(struct program *p, u64 data)
{
	struct table_register library;

	__asm__ volatile("sgdt %0" : "=m"(library));
	memcpy(p->gdt, (const void *)library.base, sizeof(((struct descriptor_tables *)0)->gdt));
	p->gdt[SELECTOR_SMALL / 8] = descriptor(data, 0xfff, ACCESS_DATA, FLAGS_DB);
	p->gdt[SELECTOR_EXPAND_DOWN / 8] = descriptor(data, 0xfff, ACCESS_DATA_EXPAND_DOWN, FLAGS_DB);
	p->gdt[SELECTOR_EXPAND_DOWN_16 / 8] = descriptor(data, 0xfff, ACCESS_DATA_EXPAND_DOWN, 0);
	p->gdt[SELECTOR_READ_ONLY / 8] = descriptor(0, LIMIT_4GB, ACCESS_DATA_READ_ONLY, FLAGS_DB | FLAGS_G);
	p->gdt[SELECTOR_READABLE_CODE / 8] = descriptor(0, LIMIT_4GB, ACCESS_CODE_READABLE, FLAGS_DB | FLAGS_G);
	p->gdt[SELECTOR_CODE16 / 8] = descriptor(0, LIMIT_4GB, ACCESS_CODE_READABLE, FLAGS_G);
	p->gdt[SELECTOR_STACK / 8] = descriptor(0, (u64)p >> 12, ACCESS_DATA, FLAGS_DB | FLAGS_G);
	p->gdt[SELECTOR_LOW_CODE16 / 8] = descriptor(machine_low_page(), 0xffff, ACCESS_CODE_READABLE, 0);
	p->gdt[SELECTOR_LOW_DATA / 8] = descriptor(machine_low_page(), 0xffff, ACCESS_DATA, 0);
	set_register(p->gdtr, p->gdt, sizeof(p->gdt));
}

void program_descriptors(struct program *p, u64 data)
{
	u64 *idt = page_alloc();

	make_gdt(p, data);
	for (u32 i = 0; i < IDT_GATES; i++) {
		u64 handler = (u64)legacy_idt_stubs + i * LEGACY_STUB_SIZE;

		idt[i] = (handler & 0xffff) | (u64)SELECTOR_CODE32 << 16 | INTERRUPT_GATE_32 << 32 | (handler >> 16) << 48;
	}
	set_register(p->idtr, idt, IDT_GATES * sizeof(*idt));
}
