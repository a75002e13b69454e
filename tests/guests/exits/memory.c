/* SPDX-License-Identifier: MIT */
/*
 * EPT violations and misconfigurations of each kind of access, with both addresses,
 * and a VM entry that fails in its MSR list: SDM "Exit Qualification for EPT
 * Violations", "Guest-Linear Address", "Guest-Physical Address".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(read); L2(write); L2(modify); L2(copy); L2(push); L2(call); L2(jump); L2(bit_set); L2(nops);

#define TABLES (TEST_ADDRESS + (64 << 20))

/* Leaves of EPT12 for TEST_ADDRESS and the page behind it. */
static void accesses(void)
{
	static const struct {
		struct exit_line line;
		const u8 *code;
		u64 offset, first, second; /* rights of the two pages */
	} all[] = {
		{ { "memory.read", NULL }, l2_read, 0x123, 0, 0 },
		{ { "memory.read_across", NULL }, l2_read, 0xffd, EPT_RWX, 0 },
		{ { "memory.write", NULL }, l2_write, 0x10, 0, 0 },
		{ { "memory.write_read_only", NULL }, l2_write, 0x10, EPT_READ, 0 },
		{ { "memory.write_across", NULL }, l2_write, 0xffe, EPT_RWX, EPT_READ | EPT_EXECUTE },
		{ { "memory.modify", NULL }, l2_modify, 0x20, 0, 0 },
		{ { "memory.modify_read_only", NULL }, l2_modify, 0x20, EPT_READ, 0 },
		{ { "memory.fetch", NULL }, l2_jump, 0x30, EPT_READ | EPT_WRITE, 0 },
		{ { "memory.fetch_nothing", NULL }, l2_jump, 0x30, 0, 0 },
		{ { "memory.push", NULL }, l2_push, 0x40, EPT_READ, 0 },
		{ { "memory.call", NULL }, l2_call, 0x50, EPT_READ, 0 },
		{ { "memory.bit_set", NULL }, l2_bit_set, 0x60, EPT_READ, 0 },
	};

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = vm_create(all[i].code);

		for (u32 n = 0; n < 2; n++) {
			map_page(vm, TEST_ADDRESS + n * PAGE_SIZE);
			*ept_entry(vm->ept, TEST_ADDRESS + n * PAGE_SIZE, 1) &= ~EPT_RWX;
			*ept_entry(vm->ept, TEST_ADDRESS + n * PAGE_SIZE, 1) |= n ? all[i].second : all[i].first;
		}
		vm->gpr[RSI] = TEST_ADDRESS + all[i].offset;
		step(vm);
		check_said(all[i].line.name, all[i].line.expected);
	}
}

/* Expect: RCX, RSI and RDI as far as the string instruction has come. */
static void string(void)
{
	struct vm *vm = vm_create(l2_copy);

	map_page(vm, TEST_ADDRESS);
	vm->gpr[RSI] = (u64)l2_nops;
	vm->gpr[RDI] = TEST_ADDRESS + 0xff0;
	vm->gpr[RCX] = 0x20;
	step(vm);
	say(" rcx=%lx rdi=%lx; ", vm->gpr[RCX], vm->gpr[RDI]);
	map_page(vm, TEST_ADDRESS + PAGE_SIZE);
	step(vm);
	say(" rcx=%lx", vm->gpr[RCX]);
}

/* L2's own page tables where EPT12 does not let the processor read, or set flags. */
static void tables(void)
{
	static const struct {
		struct exit_line line;
		u64 rights;
	} all[] = {
		{ { "memory.table_read", NULL }, 0 },
		{ { "memory.table_flags", NULL }, EPT_READ },
		{ { "memory.table_execute", NULL }, EPT_READ | EPT_EXECUTE },
	};

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = vm_create(l2_write);
		u64 *entry = paging_entry(vm->page_table, TEST_ADDRESS, 2, PTE_P | PTE_W);
		u64 table = (u64)page_alloc();

		/* The table of 4 KB pages lies at an address of its own. */
		((u64 *)table)[0] = TEST_ADDRESS | PTE_P | PTE_W;
		*entry = TABLES | PTE_P | PTE_W;
		*ept_entry(vm->ept, TABLES, 1) = table | all[i].rights | (all[i].rights ? EPT_MEMORY_TYPE_WB : 0);
		map_page(vm, TEST_ADDRESS);
		vm->gpr[RSI] = TEST_ADDRESS + 0x18;
		step(vm);
		check_said(all[i].line.name, all[i].line.expected);
	}
}

static void misconfigurations(void)
{
	static const u64 entries[] = { EPT_WRITE, EPT_RWX | 2 << 3, EPT_RWX | 7 << 3, EPT_RWX | EPT_MEMORY_TYPE_WB | BIT(51) };

	for (u32 i = 0; i < ARRAY_SIZE(entries); i++) {
		struct vm *vm = vm_create(i & 1 ? l2_read : l2_write);

		*ept_entry(vm->ept, TEST_ADDRESS, 1) = (u64)page_alloc() | entries[i];
		vm->gpr[RSI] = TEST_ADDRESS + 0x21;
		step(vm);
		say("; ");
	}
}

/* Expect: the number of the entry. */
static void entry_list(void)
{
	struct vm *vm = vm_create(l2_nops);
	u64 *list = page_alloc();

	step(vm);
	list[0] = IA32_LSTAR, list[2] = IA32_GS_BASE;
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)list);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 2);
	say("; ");
	step(vm);
}

SCENARIOS(memory_scenarios,
	{ "memory.accesses", accesses, "", NULL },
	{ "memory.string", string, NULL, NULL },
	{ "memory.tables", tables, "", NULL },
	{ "memory.misconfigurations", misconfigurations, NULL, NULL },
	{ "memory.entry_list", entry_list, NULL, NULL },
);
