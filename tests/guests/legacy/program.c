/* SPDX-License-Identifier: MIT */
/*
 * Programs: page tables of their mode, steps, and what came of each.
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define SIZE_2MB (2ull << 20)
#define SIZE_4MB (4ull << 20)
#define STATUS_FLAGS 0x8d5u

static_assert(offsetof(struct program, cr0) == 8 && offsetof(struct program, saved_rsp) == 24, "program.asm");
static_assert(offsetof(struct program, gdtr) == 56 && offsetof(struct program, saved_gdtr) == 76, "program.asm");
static_assert(sizeof(struct step) == 32 && offsetof(struct step, value) == 28, "program.asm");
static_assert(sizeof(struct program) < PAGE_SIZE - 256, "the rest is its stack");

/* Identity up to 4 GB: a page directory of 4 MB pages. */
static u32 make_32_bit_tables(void)
{
	u32 *directory = page_alloc();

	for (u32 i = 0; i < 1024; i++)
		directory[i] = (u32)(i * SIZE_4MB | PTE_P | PTE_W | PTE_PS);
	return (u32)(u64)directory;
}

/* The same with PAE: four PDPTEs, 2 MB pages. */
static u32 make_pae_tables(void)
{
	u64 *pdptes = page_alloc();

	for (u64 i = 0; i < 4; i++) {
		u64 *directory = page_alloc();

		for (u64 j = 0; j < 512; j++)
			directory[j] = (i * 512 + j) * SIZE_2MB | PTE_P | PTE_W | PTE_PS;
		pdptes[i] = (u64)directory | PTE_P;
	}
	return (u32)(u64)pdptes;
}

struct program *program_new(enum paging paging, u64 data)
{
	struct program *p = page_alloc();
	u32 cr0 = (u32)read_cr0() & ~(u32)CR0_PG;

	p->cr4 = (u32)(read_cr4() & ~CR4_PAE) | (u32)CR4_PSE;
	p->cr0 = paging == PAGING_NONE ? cr0 : cr0 | (u32)(CR0_PG | CR0_WP);
	if (paging == PAGING_32_BIT)
		p->cr3 = make_32_bit_tables();
	if (paging == PAGING_PAE) {
		p->cr3 = make_pae_tables();
		p->cr4 |= (u32)CR4_PAE;
	}
	program_descriptors(p, data);
	return p;
}

/* Splits a large page into a table of small ones, unless that is done. */
static void split_32(u32 *entry)
{
	u32 *table, base = *entry & ~0x3fffffu;

	if (!(*entry & PTE_PS))
		return;
	table = page_alloc();
	for (u32 i = 0; i < 1024; i++)
		table[i] = (u32)(base + i * PAGE_SIZE) | (u32)(PTE_P | PTE_W);
	*entry = (u32)(u64)table | (u32)(PTE_P | PTE_W | PTE_U);
}

static void split_pae(u64 *entry)
{
	u64 *table, base = *entry & ~(SIZE_2MB - 1);

	if (!(*entry & PTE_PS))
		return;
	table = page_alloc();
	for (u32 i = 0; i < 512; i++)
		table[i] = (base + i * PAGE_SIZE) | PTE_P | PTE_W;
	*entry = (u64)table | PTE_P | PTE_W | PTE_U;
}

u64 program_entry(const struct program *p, u64 address, u64 clear, u64 set)
{
	u64 before;

	if (p->cr4 & CR4_PAE) {
		u64 *pdptes = (u64 *)(u64)p->cr3;
		u64 *entry = (u64 *)(pdptes[address >> 30] & ~0xfffull) + (address >> 21 & 511);

		split_pae(entry);
		entry = (u64 *)(*entry & ~0xfffull) + (address >> 12 & 511);
		before = *entry;
		*entry = (before & ~clear) | set;
	} else {
		u32 *entry = (u32 *)(u64)p->cr3 + (address >> 22);

		split_32(entry);
		entry = (u32 *)(u64)(*entry & ~0xfffu) + (address >> 12 & 1023);
		before = *entry;
		*entry = (u32)((before & ~clear) | set);
	}
	return before;
}

u32 program_step(struct program *p, const u8 *op, u64 a, u64 b)
{
	struct step *step = &p->steps[p->count];

	if (p->count == MAX_STEPS)
		scenario_abort("too many steps");
	*step = (struct step){ .op = (u32)(u64)op, .a = (u32)a, .b = (u32)b, .vector = NOT_REACHED };
	return p->count++;
}

u32 program_vmx_step(struct program *p, const u8 *op, u64 a, u64 b)
{
	u32 step = program_step(p, op, a, b);

	program_step(p, step_vmread, VM_INSTRUCTION_ERROR, 0);
	return step;
}

/* VMXOFF comes last of all, for paging cannot be turned off before; where it is not needed it is #UD. */
void program_run(struct program *p)
{
	program_step(p, step_vmxoff, 0, 0);
	p->left = p->count;
	p->current = (u32)(u64)p->steps;
	legacy_run(p);
}

u32 program_outcome(const struct program *p, u32 number)
{
	const struct step *step = &p->steps[number];

	if (step->vector != NO_EXCEPTION)
		return OUTCOME_EXCEPTION | step->vector;
	switch (step->flags & STATUS_FLAGS) {
	case 0:
		return OUTCOME_OK;
	case RFLAGS_CF:
		return OUTCOME_FAIL_INVALID;
	case RFLAGS_ZF:
		return OUTCOME_FAIL_VALID | p->steps[number + 1].value;
	default:
		/* No VMX instruction leaves such flags. */
		return OUTCOME_FAIL_VALID | 0xfff;
	}
}
