/* SPDX-License-Identifier: MIT */
/*
 * Memory operands outside 64-bit mode: address forms, segments with their limits
 * and types, pages. SDM "Limit Checking", "Type Checking", "Page-Fault Exceptions".
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/x86.h"

#define PAGES 4u

/* VMXON and a current VMCS; the pages behind are for operands. */
static struct program *start(enum paging paging, u64 *vmcs, u8 **pages)
{
	u64 *pointers = page_alloc();
	struct program *p;

	*pages = pages_alloc(PAGES, PAGE_SIZE);
	p = program_new(paging, (u64)*pages);
	*vmcs = vmx_region_alloc();
	pointers[0] = vmx_region_alloc();
	pointers[1] = *vmcs;
	program_step(p, step_vmxon, (u64)&pointers[0], 0);
	program_step(p, step_vmclear, (u64)&pointers[1], 0);
	program_step(p, step_vmptrld, (u64)&pointers[1], 0);
	return p;
}

static void forms(enum paging paging, const char *prefix)
{
	u64 vmcs, *out;
	u8 *pages;
	struct program *p = start(paging, &vmcs, &pages);
	u32 good = 0;

	out = (u64 *)pages;
	program_step(p, step_vmptrst, (u64)&out[0], 0);
	program_step(p, step_vmptrst_sib, (u64)&out[1] - 16 + 40, 10);
	program_step(p, step_vmptrst_16, 8, 0);
	program_step(p, step_vmptrst_16_wraps, 16, 0);
	program_step(p, step_in_16_bit_code, 32, SELECTOR_CODE16);
	program_step(p, step_vmptrst_stack, (u64)&out[5], SELECTOR_DATA);
	program_step(p, step_vmptrst_fs, 48, SELECTOR_SMALL);
	program_run(p);
	for (u32 i = 0; i < 7; i++)
		good += out[i] == vmcs;
	say("%u of 7", good);
	check_said(case_name(prefix, "forms"), "7 of 7");
}

static void segments(enum paging paging, const char *prefix)
{
	u64 vmcs;
	u8 *pages;
	struct program *p = start(paging, &vmcs, &pages);
	u64 pointer = (u64)page_alloc(), behind_stack = (u64)p + PAGE_SIZE;

	*(u64 *)pointer = vmcs;
	cases_add(p, "limit.last_byte_inside", step_vmptrst_fs, 0xff8, SELECTOR_SMALL, OUTCOME_OK);
	cases_add(p, "limit.one_byte_outside", step_vmptrst_fs, 0xff9, SELECTOR_SMALL, FAULT(VECTOR_GP));
	cases_add(p, "limit.offset_wraps", step_vmptrst_fs, 0xfffffffc, SELECTOR_SMALL, FAULT(VECTOR_GP));
	cases_add(p, "expand_down.inside", step_vmptrst_fs, 0x1000, SELECTOR_EXPAND_DOWN, OUTCOME_OK);
	cases_add(p, "expand_down.at_limit", step_vmptrst_fs, 0xfff, SELECTOR_EXPAND_DOWN, FAULT(VECTOR_GP));
	cases_add(p, "expand_down.below", step_vmptrst_fs, 0, SELECTOR_EXPAND_DOWN, FAULT(VECTOR_GP));
	cases_add(p, "expand_down_16.inside", step_vmptrst_fs, 0x1008, SELECTOR_EXPAND_DOWN_16, OUTCOME_OK);
	cases_add(p, "expand_down_16.beyond_64_kb", step_vmptrst_fs, 0xfff9, SELECTOR_EXPAND_DOWN_16, FAULT(VECTOR_GP));
	cases_add(p, "null", step_vmptrst_fs, (u64)pages, 0, FAULT(VECTOR_GP));
	cases_add(p, "null.read", step_vmptrld_fs, pointer, 3, FAULT(VECTOR_GP));
	cases_add(p, "read_only.write", step_vmptrst_fs, (u64)pages, SELECTOR_READ_ONLY, FAULT(VECTOR_GP));
	cases_add(p, "read_only.read", step_vmptrld_fs, pointer, SELECTOR_READ_ONLY, OUTCOME_OK);
	cases_add(p, "code.write", step_vmptrst_fs, (u64)pages, SELECTOR_READABLE_CODE, FAULT(VECTOR_GP));
	cases_add(p, "code.read", step_vmptrld_fs, pointer, SELECTOR_READABLE_CODE, OUTCOME_OK);
	cases_add(p, "stack.inside", step_vmptrst_stack, (u64)pages < (u64)p ? (u64)pages : pointer, SELECTOR_STACK, OUTCOME_OK);
	cases_add(p, "stack.one_byte_outside", step_vmptrst_stack, behind_stack - 7, SELECTOR_STACK, FAULT(VECTOR_SS));
	program_run(p);
	cases_report(p, prefix);
}

static void say_fault(const struct program *p, u32 number, u64 base)
{
	const struct step *step = &p->steps[number];

	say("#%u error=%x at %x; ", step->vector, step->error_code, step->cr2 - (u32)base);
}

/* Expect: not present, read-only, and a store whose second page is missing: its first part is not done either. */
static void pages_fault(enum paging paging, const char *prefix)
{
	u64 vmcs, *last;
	u8 *pages;
	struct program *p = start(paging, &vmcs, &pages);
	u64 base = (u64)pages;
	u32 steps[4];

	program_entry(p, base + PAGE_SIZE, PTE_P, 0);
	program_entry(p, base + 2 * PAGE_SIZE, PTE_W, 0);
	last = (u64 *)(base + PAGE_SIZE - 8);
	steps[0] = program_vmx_step(p, step_vmptrst, base + PAGE_SIZE + 8, 0);
	steps[1] = program_vmx_step(p, step_vmptrld, base + PAGE_SIZE + 16, 0);
	steps[2] = program_vmx_step(p, step_vmptrst, base + 2 * PAGE_SIZE + 24, 0);
	steps[3] = program_vmx_step(p, step_vmptrst, base + PAGE_SIZE - 3, 0);
	program_run(p);
	for (u32 i = 0; i < ARRAY_SIZE(steps); i++)
		say_fault(p, steps[i], base);
	say("%lx", *last);
	check_said(case_name(prefix, "pages.faults"),
		   "#14 error=2 at 0x1008; #14 error=0 at 0x1010; #14 error=3 at 0x2018; #14 error=2 at 0x1000; 0");
}

/* Expect: accessed for a load, dirty also for a store. */
static void pages_are_marked(enum paging paging, const char *prefix)
{
	const u64 flags = PTE_A | PTE_D;
	u64 vmcs, base;
	u8 *pages;
	struct program *p = start(paging, &vmcs, &pages);

	base = (u64)pages;
	*(u64 *)base = vmcs;
	for (u32 i = 0; i < PAGES; i++)
		program_entry(p, base + i * PAGE_SIZE, flags, 0);
	program_step(p, step_vmptrld, base, 0);
	program_step(p, step_vmptrst, base + PAGE_SIZE, 0);
	program_step(p, step_vmptrst, base + 3 * PAGE_SIZE - 4, 0);
	program_run(p);
	for (u32 i = 0; i < PAGES; i++)
		say("%x ", (u32)(program_entry(p, base + i * PAGE_SIZE, 0, 0) & flags));
	check_said(case_name(prefix, "pages.flags"), "0x20 0x60 0x60 0x60 ");
}

/* Expect: a reserved bit of a PAE entry is told in the error code; without CR0.WP a read-only page takes the store. */
static void pages_of_pae(void)
{
	u64 vmcs, base;
	u8 *pages;
	struct program *p = start(PAGING_PAE, &vmcs, &pages);
	u32 reserved, without_wp;

	base = (u64)pages;
	program_entry(p, base, 0, BIT(52));
	program_entry(p, base + PAGE_SIZE, PTE_W, 0);
	reserved = program_vmx_step(p, step_vmptrst, base, 0);
	program_step(p, step_mov_cr0, p->cr0 & ~CR0_WP, 0);
	without_wp = program_vmx_step(p, step_vmptrst, base + PAGE_SIZE, 0);
	program_run(p);
	say_fault(p, reserved, base);
	say("%o", program_outcome(p, without_wp));
	check_said("pae.pages.reserved_and_write_protection", "#14 error=0xb at 0; ok");
}

void group_operands(void)
{
	static const struct {
		enum paging paging;
		const char *prefix;
	} modes[] = { { PAGING_PAE, "pae" }, { PAGING_32_BIT, "32_bit" } };

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		forms(modes[i].paging, modes[i].prefix);
		segments(modes[i].paging, modes[i].prefix);
		pages_fault(modes[i].paging, modes[i].prefix);
		pages_are_marked(modes[i].paging, modes[i].prefix);
	}
	pages_of_pae();
	say("complete");
}
