/* SPDX-License-Identifier: MIT */
/*
 * Page-modification logging: what is logged, in which order, and when the log is full. L2's own memory is
 * accessed and dirty in EPT12 from the start, so that only the pages of a scenario count. SDM
 * "Page-Modification Logging".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SIZE_2MB (2ull << 20)
#define LAST 511u
#define FULL 0xffffu
#define USED (EPT_ACCESSED | EPT_DIRTY)
#define IST1_OFFSET 36
#define RET 0xc3

static u64 *log_page;

static bool has_pml(void)
{
	return proc2_offers(PROC2_ENABLE_PML);
}

static void mark_tables(u64 table, u32 level, u64 flags)
{
	u64 *entry = (u64 *)(table & ~0xfffull);

	for (u32 i = 0; i < 512; i++) {
		if (!(entry[i] & EPT_RWX))
			continue;
		if (level > 1 && !(entry[i] & EPT_LARGE))
			mark_tables(entry[i], level - 1, flags);
		entry[i] |= flags;
	}
}

/* An L2 with a log, whose own memory and the tables of TEST_ADDRESS need no flag any more. */
static struct vm *create(const u8 *code, u32 index)
{
	struct vm *vm = vm_create(code);

	for (u64 i = 0; i < 4; i++)
		*ept_entry(vm->ept, TEST_ADDRESS + i * PAGE_SIZE, 1) = (u64)page_alloc() | EPT_RWX | EPT_MEMORY_TYPE_WB | USED;
	mark_tables(vm->ept, 4, USED);
	for (u64 i = 0; i < 4; i++)
		*ept_entry(vm->ept, TEST_ADDRESS + i * PAGE_SIZE, 1) &= ~USED;
	log_page = page_alloc();
	vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	vm_set_secondary(PROC2_ENABLE_PML);
	vmwrite(PML_ADDRESS, (u64)log_page);
	vmwrite(PML_INDEX, index);
	vm->gpr[RSI] = TEST_ADDRESS;
	return vm;
}

static void again(struct vm *vm, const u8 *code, u64 address)
{
	vm_restart(vm, code);
	vm->gpr[RSI] = address;
	vm_run(vm);
	say(vm->basic_reason == REASON_VMCALL ? "" : "%s ", exit_reason_name(vm->basic_reason));
}

static void say_log(void)
{
	u32 index = (u32)vmread(PML_INDEX);

	say("index=%u", index);
	for (u32 i = LAST; i != (index & 0xffff) && i < 512; i--)
		say(" %lx", log_page[i]);
	say("; ");
}

static u64 flags_of(struct vm *vm, u64 address)
{
	return (*ept_entry(vm->ept, address, 1) & USED) >> 8;
}

/* Expect: each page once, at its first write, downwards from the index. */
static void writes(void)
{
	struct vm *vm = create(l2_write, LAST);

	vm_run(vm);
	again(vm, l2_write, TEST_ADDRESS + 2 * PAGE_SIZE);
	again(vm, l2_write, TEST_ADDRESS);
	again(vm, l2_read_write, TEST_ADDRESS + PAGE_SIZE);
	say_log();
	/* L1 cleans a page, and says so. */
	*ept_entry(vm->ept, TEST_ADDRESS, 1) &= ~EPT_DIRTY;
	invept(1, vmread(EPT_POINTER));
	again(vm, l2_read, TEST_ADDRESS);
	again(vm, l2_write, TEST_ADDRESS);
	say_log();
}

/* Expect: an accessed flag is no modification. */
static void reads(void)
{
	struct vm *vm = create(l2_read, LAST);

	vm_run(vm);
	say("flags=%lu ", flags_of(vm, TEST_ADDRESS));
	say_log();
	*(u8 *)(*ept_entry(vm->ept, TEST_ADDRESS, 1) & ~0xfffull) = RET;
	again(vm, l2_call, TEST_ADDRESS);
	say_log();
}

/* Expect: what is logged is the page of the access, whatever its offset. */
static void page_of_the_access(void)
{
	struct vm *vm = create(l2_write, LAST);

	again(vm, l2_write, TEST_ADDRESS + 0x248);
	say_log();
}

/* Expect: a large page has one dirty flag, and is logged by the 4 KB that were written. */
static void large_page(void)
{
	struct vm *vm = create(l2_write, LAST);

	*ept_entry(vm->ept, TEST_ADDRESS + SIZE_2MB, 2) =
		(u64)pages_alloc(512, SIZE_2MB) | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	again(vm, l2_write, TEST_ADDRESS + SIZE_2MB + 0x12000);
	again(vm, l2_write, TEST_ADDRESS + SIZE_2MB + 0x13000);
	say_log();
}

/* L2's page table for TEST_ADDRESS is in a clean page. Expect: walking it counts as a write. */
static void page_walk(void)
{
	struct vm *vm = create(l2_read, LAST);
	u64 table_gpa = TEST_ADDRESS + 3 * PAGE_SIZE;
	u64 *table = (u64 *)(*ept_entry(vm->ept, table_gpa, 1) & ~0xfffull);

	*paging_entry(vm->page_table, TEST_ADDRESS, 2, PTE_P | PTE_W) = table_gpa | PTE_P | PTE_W | PTE_U;
	table[0] = TEST_ADDRESS | PTE_P | PTE_W | PTE_A | PTE_D;
	vm_run(vm);
	say_log();
}

/* Expect: the last entry is used, then the write that wants another one exits, and nothing of it is done. */
static void full(void)
{
	struct vm *vm = create(l2_write_two, 0);
	u64 *second = (u64 *)(*ept_entry(vm->ept, TEST_ADDRESS + PAGE_SIZE, 1) & ~0xfffull);

	vm->gpr[RAX] = 0x77;
	vm_step(vm);
	say(" index=%lx entry=%lx memory=%lx flags=%lu; ", vmread(PML_INDEX), log_page[0], *second,
	    flags_of(vm, TEST_ADDRESS + PAGE_SIZE));
	vmwrite(PML_INDEX, LAST);
	vm_step(vm);
	say(" memory=%lx flags=%lu ", *second, flags_of(vm, TEST_ADDRESS + PAGE_SIZE));
	say_log();
}

/* Expect: with nothing accessed yet, L2's first instruction needs flags; each index out of range is full. */
static void full_at_entry(void)
{
	static const u32 indices[] = { 512, 0x8000, FULL };

	for (u32 i = 0; i < ARRAY_SIZE(indices); i++) {
		struct vm *vm = vm_create(l2_vmcall);

		vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
		vm_set_secondary(PROC2_ENABLE_PML);
		vmwrite(PML_ADDRESS, (u64)page_alloc());
		vmwrite(PML_INDEX, indices[i]);
		vm_step(vm);
		say(" index=%lx flags=%lu; ", vmread(PML_INDEX), (u64)((*ept_entry(vm->ept, 0, 4) & USED) >> 8));
	}
}

/* Expect: a violation needs no room in the log. */
static void violation_when_full(void)
{
	struct vm *vm = create(l2_write_two, 0);

	*ept_entry(vm->ept, TEST_ADDRESS + PAGE_SIZE, 1) = 0;
	vm_step(vm);
}

/* Expect: no log without flags in the EPTP. */
static void without_flags(void)
{
	struct vm *vm = create(l2_write_two, FULL);

	vm_clear(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	vm_step(vm);
	say(" index=%lx flags=%lu", vmread(PML_INDEX), flags_of(vm, TEST_ADDRESS));
}

/* L2's interrupt stack is a clean page and the log is full. Expect: what was being delivered is told. */
static void full_during_delivery(void)
{
	struct vm *vm = create(l2_nops, FULL);
	u64 stack_top = TEST_ADDRESS + PAGE_SIZE;

	memcpy(vm->tables->tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	vmwrite(EXCEPTION_BITMAP, 0);
	vm_inject(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x18, 0);
	vm_step(vm);
	vmwrite(PML_INDEX, LAST);
	vm_inject(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x18, 0);
	vm_run(vm);
	say("; %s ", exit_reason_name(vm->basic_reason));
	say_log();
}

/* Expect: the index is L1's to write, and stays through exits that log nothing. */
static void index_is_kept(void)
{
	static const u32 indices[] = { 0, 77, LAST };
	struct vm *vm = create(l2_cpuid, 0);

	for (u32 i = 0; i < ARRAY_SIZE(indices); i++) {
		vmwrite(PML_INDEX, indices[i]);
		say("%lu ", vmread(PML_INDEX));
		vm_restart(vm, l2_cpuid);
		vm_run(vm);
		say("%s %lu; ", exit_reason_name(vm->basic_reason), vmread(PML_INDEX));
	}
}

SCENARIOS(pml_scenarios,
	{ "pml.writes", writes, "index=508 0x140000000 0x140002000 0x140001000; "
	  "index=507 0x140000000 0x140002000 0x140001000 0x140000000; ", has_pml },
	{ "pml.reads", reads, "flags=1 index=511; index=511; ", has_pml },
	{ "pml.page_of_the_access", page_of_the_access, "index=510 0x140000000; ", has_pml },
	{ "pml.large_page", large_page, "index=510 0x140212000; ", has_pml },
	{ "pml.page_walk", page_walk, "index=510 0x140003000; ", has_pml },
	{ "pml.full", full,
	  "PML_FULL(62) qualification=0 rip=+3 index=0xffff entry=0x140000000 memory=0 flags=0; "
	  "VMCALL(18) length=3 rip=+10 memory=0x77 flags=3 index=510 0x140001000; ", has_pml },
	{ "pml.full_at_entry", full_at_entry,
	  "PML_FULL(62) qualification=0 rip=+0 index=0x200 flags=0; "
	  "PML_FULL(62) qualification=0 rip=+0 index=0x8000 flags=0; "
	  "PML_FULL(62) qualification=0 rip=+0 index=0xffff flags=0; ", has_pml },
	{ "pml.violation_when_full", violation_when_full,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140001000 rip=+3", has_pml },
	{ "pml.without_flags", without_flags, "VMCALL(18) length=3 rip=+10 index=0xffff flags=0", has_pml },
	{ "pml.full_during_delivery", full_during_delivery,
	  "PML_FULL(62) qualification=0 vectoring=0x80000b0d error=0x18 rip=+0; VMCALL index=510 0x140000000; ", has_pml },
	{ "pml.index_is_kept", index_is_kept, "0 CPUID 0; 77 CPUID 77; 511 CPUID 511; ", has_pml },
);
