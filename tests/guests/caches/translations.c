/* SPDX-License-Identifier: MIT */
/*
 * EPT12 changes and INVEPT, more EPTPs and more tables than a hypervisor below keeps, VPIDs. Whatever it keeps, L2 sees
 * what L1's tables say after the invalidation. SDM "Invalidating Cached Translation Information".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define AREA (4ull << 30)
#define SIZE_2MB (2ull << 20)
#define EPTP_FLAGS (EPTP_WB | EPTP_4_LEVELS)
#define MANY_EPTPS 12
#define MANY_REGIONS 1024 /* of 2 MB: a table each, where pages have 4 KB */

static u64 page_with(u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	return (u64)page;
}

static void map(u64 ept, u64 page)
{
	*ept_entry(ept, AREA, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
}

static const struct step load[] = { { .kind = STEP_LOAD, .address = AREA } };

/* Expect: after each kind of INVEPT the new page, however often the old one was read. */
static void remapped(void)
{
	struct vm *vm = script_create(load, 1);
	static const u32 depths[] = DEPTHS;

	map(vm->ept, page_with(1));
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		for (u32 type = 1; type <= 2; type++) {
			script_rounds(vm, depths[d], true);
			say("%lu ", script_steps(vm)->value);
			map(vm->ept, page_with(script_steps(vm)->value + 1));
			invept(type, vm->ept | EPTP_FLAGS);
			script_rounds(vm, 1, true);
			say("%lu ", script_steps(vm)->value);
		}
	}
}

/* Expect: the same of a table in place of a large page, and back. */
static void resized(void)
{
	struct vm *vm = script_create(load, 1);
	u64 large = (u64)pages_alloc(1, SIZE_2MB), *pde = ept_entry(vm->ept, AREA, 2), small = page_with(0x22), table = (u64)page_alloc();

	*(u64 *)large = 0x11;
	*(u64 *)table = small | EPT_RWX | EPT_MEMORY_TYPE_WB;
	for (u32 i = 0; i < 4; i++) {
		*pde = i & 1 ? table | EPT_RWX : large | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
		invept(1, vm->ept | EPTP_FLAGS);
		script_rounds(vm, 3, true);
		say("%lx ", script_steps(vm)->value);
	}
}

/* Expect: one EPTP after the other shows its own page, each as it was changed last. */
static void many_eptps(void)
{
	struct vm *vm = script_create(load, 1);
	u64 ept[MANY_EPTPS], sum = 0;

	for (u32 i = 0; i < MANY_EPTPS; i++)
		map(ept[i] = ept_identity(), page_with(i));
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < MANY_EPTPS; i++) {
			vmwrite(EPT_POINTER, ept[i] | EPTP_FLAGS);
			script_rounds(vm, 2, true);
			sum += script_steps(vm)->value << 32;
			map(ept[i], page_with(script_steps(vm)->value + 100));
			invept(1, ept[i] | EPTP_FLAGS);
			script_rounds(vm, 1, true);
			sum += script_steps(vm)->value;
		}
		say("%lx ", sum);
	}
}

/* EPT12 has the area in 4 KB pages, the same table for each 2 MB: its first page is one page. */
static u64 *map_area(struct vm *vm, u64 page)
{
	u64 *table = page_alloc();

	table[0] = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	for (u64 i = 0; i < MANY_REGIONS; i++)
		*ept_entry(vm->ept, AREA + i * SIZE_2MB, 2) = (u64)table | EPT_RWX;
	return table;
}

static void say_sum(struct vm *vm, u32 count)
{
	rounds(vm, count);
	say("%lx ", vm->gpr[R10]);
}

/* Expect: more tables than anyone has room for cost time only, and INVEPT counts for all of them. */
static void many_tables(void)
{
	struct vm *vm = rounds_create(l2_add_up);
	u64 *table = map_area(vm, page_with(3));

	vm->gpr[RDI] = AREA;
	vm->gpr[R8] = MANY_REGIONS;
	vm->gpr[R9] = SIZE_2MB;
	say_sum(vm, 2);
	table[0] = page_with(5) | EPT_RWX | EPT_MEMORY_TYPE_WB;
	invept(1, vm->ept | EPTP_FLAGS);
	say_sum(vm, 1);
	say_sum(vm, 3);
	table[0] = page_with(7) | EPT_RWX | EPT_MEMORY_TYPE_WB;
	invept(2, 0);
	say_sum(vm, 1);
}

/* Expect: a page taken away is a violation at once after INVEPT, and its return needs none. */
static void taken_away(void)
{
	struct vm *vm = script_create(load, 1);
	static const u32 depths[] = DEPTHS;
	u64 page = page_with(0x33);

	map(vm->ept, page);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		script_rounds(vm, depths[d], true);
		*ept_entry(vm->ept, AREA, 1) = 0;
		invept(1, vm->ept | EPTP_FLAGS);
		say("%lu ", vm_enter(vm, true));
		say("%lu %lx ", vmread(EXIT_REASON), vmread(GUEST_PHYSICAL_ADDRESS));
		map(vm->ept, page);
		script_rounds(vm, 1, true);
		say("%lx; ", script_steps(vm)->value);
	}
}

static bool has_vpid(void)
{
	return proc2_offers(PROC2_ENABLE_VPID) && ept_vpid_offers(CAP_INVVPID | CAP_INVVPID_SINGLE);
}

static void map_linear(struct vm *vm, u64 value)
{
	*paging_entry(vm->page_table, MAPPED_ADDRESS, 1, PTE_P | PTE_W) = page_with(value) | PTE_P | PTE_W;
}

/* Expect: VPIDs that a hypervisor below may map to one tag, and its own, are each another address space. */
static void vpids(void)
{
	static const u16 numbers[] = { 1, 0xffff, 2, 0xfffe };
	static const struct step steps[] = { { .kind = STEP_LOAD, .address = MAPPED_ADDRESS } };
	struct vm *vms[ARRAY_SIZE(numbers)];

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		vms[i] = script_create(steps, 1);
		vm_set_secondary(PROC2_ENABLE_VPID);
		vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, numbers[i]);
		map_linear(vms[i], 0x10 + i);
	}
	for (u32 round = 0; round < 4; round++) {
		for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
			vmptrld(vms[i]->vmcs);
			script_rounds(vms[i], round + 1, true);
			say("%lx ", script_steps(vms[i])->value);
		}
		map_linear(vms[round], 0x20 + round);
		invvpid(1, numbers[round], 0);
	}
}

SCENARIOS(translation_scenarios,
	{ "translation.remapped", remapped, "1 2 2 3 3 4 4 5 5 6 6 7 ", NULL },
	{ "translation.resized", resized, "0x11 0x22 0x11 0x22 ", NULL },
	{ "translation.many_eptps", many_eptps, "0x42000004f2 0x53400000e94 0xed600001ce6 ", NULL },
	{ "translation.many_tables", many_tables, "0xc00 0x1400 0x1400 0x1c00 ", NULL },
	{ "translation.taken_away", taken_away,
	  "0 48 0x100000000 0x33; 0 48 0x100000000 0x33; 0 48 0x100000000 0x33; ", NULL },
	{ "translation.vpids", vpids,
	  "0x10 0x11 0x12 0x13 0x20 0x11 0x12 0x13 0x20 0x21 0x12 0x13 0x20 0x21 0x22 0x13 ", has_vpid },
);
