/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables that change all the time under an L2 that uses them:
 * present and not, misconfigured, large and small, with and without accessed
 * and dirty flags.
 */
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/races/races.h"

#define ROUNDS 600
#define WINDOW (6ull << 30)	/* L2's guest-physical addresses of the pages in question */
#define SMALL_PAGES 8
#define SIZE_2MB (2ull << 20)
#define RETURNS 0xc3c3c3c3c3c3c3c3ull /* what every page of the window is full of: 8 RETs */

static volatile u64 *pdpte, *pd, *pt;
static u64 small, large;

static u64 small_entry(struct random *random)
{
	u64 page = small + random_below(random, SMALL_PAGES) * PAGE_SIZE;
	const u64 values[] = {
		page | EPT_RWX | EPT_MEMORY_TYPE_WB, page | EPT_RWX | EPT_MEMORY_TYPE_WB | EPT_ACCESSED | EPT_DIRTY, 0,
		page | EPT_READ | EPT_MEMORY_TYPE_WB, page | EPT_EXECUTE | EPT_MEMORY_TYPE_WB, page | EPT_RWX | EPT_MEMORY_TYPE_UC,
		page | EPT_WRITE, page | EPT_RWX | 2ull << 3, page | EPT_RWX | EPT_MEMORY_TYPE_WB | BIT(51),
	};

	return random_of(random, values, ARRAY_SIZE(values));
}

static u64 middle_entry(struct random *random)
{
	const u64 values[] = {
		(u64)pt | EPT_RWX, (u64)pt | EPT_RWX, (u64)pt | EPT_RWX | EPT_ACCESSED, large | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB,
		large | EPT_READ | EPT_LARGE | EPT_MEMORY_TYPE_WB, 0, (u64)pt | EPT_READ, (u64)pt | EPT_RWX | 0x78,
		large | PAGE_SIZE | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB,
	};

	return random_of(random, values, ARRAY_SIZE(values));
}

static void write_tables(struct random *random)
{
	u64 choice = random_below(random, 32);

	if (choice < 24)
		pt[random_below(random, SMALL_PAGES)] = small_entry(random);
	else if (choice < 30)
		pd[0] = middle_entry(random);
	else if (choice == 30)
		pd[1] = random_below(random, 2) ? 0 : large | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	else
		*pdpte = random_below(random, 3) ? (u64)pd | EPT_RWX : 0;
}

static void make_window(const struct vm *vm)
{
	small = (u64)race_pages(SMALL_PAGES);
	large = (u64)pages_alloc(SIZE_2MB / PAGE_SIZE, SIZE_2MB);
	memset((void *)small, (u8)RETURNS, SMALL_PAGES * PAGE_SIZE);
	memset((void *)large, (u8)RETURNS, SIZE_2MB);
	pd = race_pages(1);
	pt = race_pages(1);
	pdpte = ept_entry(vm->ept, WINDOW, 3);
	*pdpte = (u64)pd | EPT_RWX;
	pd[0] = (u64)pt | EPT_RWX;
	for (u64 i = 0; i < SMALL_PAGES; i++)
		pt[i] = (small + i * PAGE_SIZE) | EPT_RWX | EPT_MEMORY_TYPE_WB;
}

static u64 window_address(struct random *random)
{
	if (random_below(random, 8))
		return WINDOW + random_below(random, SMALL_PAGES * PAGE_SIZE - 8);
	return WINDOW + SIZE_2MB + random_below(random, SIZE_2MB - 8);
}

/* A load, a store of the same bytes, or a call, at an address of the window. */
static u32 touch(struct vm *vm, struct random *random)
{
	static const u8 *const codes[] = { l2_load, l2_store, l2_call };
	const u8 *code = codes[random_below(random, ARRAY_SIZE(codes))];
	u64 address = window_address(random);
	u32 outcome;

	vm_restart(vm, code);
	vm->gpr[RSI] = address;
	vm->gpr[RAX] = RETURNS;
	outcome = vm_run(vm) ? (u16)vm->basic_reason : REFUSED;
	if (outcome == REASON_VMCALL && vm->gpr[RAX] != RETURNS)
		scenario_abort(" L2 read %lx", vm->gpr[RAX]);
	return outcome;
}

static void flip(u64 flags)
{
	struct vm *vm;
	struct random *random = race_random();

	vmx_on();
	vm = vm_create(l2_load);
	make_window(vm);
	vmwrite(EPT_POINTER, vm->ept | EPTP_WB | EPTP_4_LEVELS | flags);
	race_begin(write_tables);
	for (u32 i = 0; i < ROUNDS; i++) {
		ALLOW(touch(vm, random), REASON_VMCALL, REASON_EPT_VIOLATION, REASON_EPT_MISCONFIGURATION);
		if (i % 16 == 15)
			vm_flush_all();
	}
	for (u64 i = 0; i < SMALL_PAGES * PAGE_SIZE / 8; i++)
		if (((u64 *)small)[i] != RETURNS)
			scenario_abort(" a page of the window changed");
	race_end();
}

static void without_flags(void)
{
	flip(0);
}

static void with_flags(void)
{
	flip(EPTP_ACCESSED_DIRTY);
}

static bool offers_flags(void)
{
	return ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY);
}

const struct scenario ept_scenarios[2] = {
	{ "races.ept", without_flags, UNHARMED, NULL },
	{ "races.ept_accessed_dirty", with_flags, UNHARMED, offers_flags },
};
