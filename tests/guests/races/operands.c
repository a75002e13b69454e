/* SPDX-License-Identifier: MIT */
/*
 * Operands of VMX instructions in memory that others write, behind page tables
 * that others write too. The pointers that an instruction may find are two
 * regions of ours, or no region's at all.
 */
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/races/races.h"

#define ROUNDS 1500
#define LINEAR (7ull << 30)	/* L1's linear addresses of the operands */
#define PAGES 3
/* Offsets of operands: one of them crosses into the next page. */
#define OFFSETS 4

static volatile u64 *pde, *pt;
static u64 operands, regions[2];
static u32 faults, failures;
static const u64 offsets[OFFSETS] = { 0, 64, 4088, 4092 };

static u64 pointer(struct random *random)
{
	const u64 values[] = { regions[0], regions[1], regions[0] | 1, ~0ull, 1ull << 60 | 0xfff };

	return random_of(random, values, ARRAY_SIZE(values));
}

static void write_operands(struct random *random)
{
	u64 page = random_below(random, PAGES), good = (operands + page * PAGE_SIZE) | PTE_P | PTE_W;
	const u64 entries[] = { good, good, good | PTE_A, good | PTE_A | PTE_D, good & ~PTE_W, 0, good | BIT(51) };
	u64 choice = random_below(random, 16);

	if (choice < 8)
		*(volatile u64 *)(operands + page * PAGE_SIZE + random_of(random, offsets, 3)) = pointer(random);
	else if (choice < 15)
		pt[random_below(random, PAGES)] = random_of(random, entries, ARRAY_SIZE(entries));
	else
		*pde = random_below(random, 3) ? (u64)pt | PTE_P | PTE_W : random_below(random, 2) ? (u64)pt | PTE_P : 0;
}

static void restore(void)
{
	*pde = LINEAR | PTE_P | PTE_W | PTE_PS;
	write_cr3(read_cr3());
}

static void one_instruction(struct random *random)
{
	u64 address = LINEAR + random_below(random, PAGES - 1) * PAGE_SIZE + random_of(random, offsets, OFFSETS);
	u32 outcome;

	switch (random_below(random, 6)) {
	case 0:
		outcome = attempt(op_vmptrld, address, 0);
		break;
	case 1:
		outcome = attempt(op_vmptrst, address, 0);
		break;
	case 2:
		outcome = attempt(op_vmclear, address, 0);
		break;
	case 3:
		outcome = attempt(op_vmread_memory, CR0_READ_SHADOW, address);
		break;
	case 4:
		outcome = attempt(op_vmwrite_memory, CR0_READ_SHADOW, address);
		break;
	default:
		outcome = attempt(op_invept, 2, address);
	}
	if (outcome & OUTCOME_EXCEPTION)
		faults++;
	else if (outcome)
		failures++;
	if ((outcome & OUTCOME_EXCEPTION) && outcome != (OUTCOME_EXCEPTION | VECTOR_PF))
		scenario_abort(" exception %u", outcome & ~OUTCOME_EXCEPTION);
	invlpg(LINEAR + random_below(random, PAGES) * PAGE_SIZE);
}

/* Also VMREAD to memory: its value may be taken for a pointer by the next one, so it is one. */
static void in_memory(void)
{
	struct random *random = race_random();

	faults = failures = 0;
	vmx_on();
	for (u32 i = 0; i < 2; i++) {
		regions[i] = vmx_region_alloc();
		vmclear(regions[i]);
		vmptrld(regions[i]);
		vmwrite(CR0_READ_SHADOW, regions[i]);
	}
	operands = (u64)race_pages(PAGES);
	pt = race_pages(1);
	for (u64 i = 0; i < PAGES; i++)
		pt[i] = (operands + i * PAGE_SIZE) | PTE_P | PTE_W;
	pde = paging_entry(read_cr3(), LINEAR, 2, PTE_P | PTE_W);
	*pde = (u64)pt | PTE_P | PTE_W;
	invlpg(LINEAR);
	race_begin(write_operands);
	for (u32 i = 0; i < ROUNDS; i++)
		one_instruction(random);
	restore();
	info("  %u of %u with a page fault, %u that failed", faults, ROUNDS, failures);
	race_end();
	restore();
}

const struct scenario operand_scenarios[1] = {
	{ "races.operands", in_memory, UNHARMED, NULL },
};
