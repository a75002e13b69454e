/* SPDX-License-Identifier: MIT */
/*
 * L1 changes EPT12 at each level and invalidates: rights taken away, pages
 * that become larger or smaller, tables that move, EPTPs that share tables.
 * SDM "Guidelines for Use of the INVEPT Instruction".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define SIZE_2MB (2ull << 20)
#define SIZE_1GB (1ull << 30)
#define WB EPT_MEMORY_TYPE_WB
#define TABLE_ADDRESS 0x000ffffffffff000ull
#define RET 0xc3

static u64 page_with(u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	return (u64)page;
}

static void flush(void)
{
	invept(1, vmread(EPT_POINTER));
}

static void go(struct vm *vm, const u8 *code, u64 address)
{
	vm_restart(vm, code);
	vm->gpr[RSI] = address;
	vm->gpr[RAX] = 0x77;
	vm_run(vm);
}

/* The three kinds of access, each as it comes out: r, w, x, or - for a violation. */
static void say_rights(struct vm *vm, u64 address)
{
	static const struct {
		const u8 *code;
		char letter;
	} accesses[] = { { l2_read, 'r' }, { l2_write_ret, 'w' }, { l2_call, 'x' } };

	for (u32 i = 0; i < ARRAY_SIZE(accesses); i++) {
		go(vm, accesses[i].code, address);
		say("%c", vm->basic_reason == REASON_VMCALL		   ? accesses[i].letter :
			  vm->basic_reason == REASON_EPT_VIOLATION	   ? '-' :
			  vm->basic_reason == REASON_EPT_MISCONFIGURATION ? 'm' :
									     '?');
	}
	say(" ");
}

static bool has_execute_only(void)
{
	return ept_vpid_offers(CAP_EPT_EXECUTE_ONLY);
}

/* Rights of the leaf, downwards and up again. Expect: exactly what the entry has, after INVEPT. */
static void leaf_rights(void)
{
	static const u64 rights[] = { 7, 5, 1, 3, 7, 4, 5, 4, 0, 7, 1, 2, 7 };
	struct vm *vm = vm_create(l2_read);
	u64 page = page_with(RET);

	for (u32 i = 0; i < ARRAY_SIZE(rights); i++) {
		*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | WB | rights[i];
		flush();
		say_rights(vm, TEST_ADDRESS);
	}
}

/* The same in each table above the leaf. Expect: a right counts only if all levels give it. */
static void table_rights(void)
{
	static const u64 rights[] = { 7, 5, 7, 1, 3, 0, 7 };
	struct vm *vm = vm_create(l2_read);

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page_with(RET) | WB | EPT_RWX;
	for (u32 level = 2; level <= 3; level++) {
		u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, level);

		for (u32 i = 0; i < ARRAY_SIZE(rights); i++) {
			*entry = (*entry & ~7ull) | rights[i];
			flush();
			say_rights(vm, TEST_ADDRESS);
		}
	}
}

/* Expect: 4 KB pages become one of 2 MB and come back, each time the memory that the entry names. */
static void larger_and_smaller(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 large = (u64)pages_alloc(512, SIZE_2MB), table;
	u64 *entry;

	*(u64 *)large = 0x10;
	*(u64 *)(large + 5 * PAGE_SIZE) = 0x15;
	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page_with(0x20) | WB | EPT_RWX;
	*ept_entry(vm->ept, TEST_ADDRESS + 5 * PAGE_SIZE, 1) = page_with(0x25) | WB | EPT_RWX;
	entry = ept_entry(vm->ept, TEST_ADDRESS, 2);
	table = *entry;
	for (u32 i = 0; i < 5; i++) {
		*entry = i & 1 ? large | WB | EPT_LARGE | EPT_RWX : table;
		flush();
		go(vm, l2_read, TEST_ADDRESS);
		say("%lx ", vm->gpr[RAX]);
		go(vm, l2_read, TEST_ADDRESS + 5 * PAGE_SIZE);
		say("%lx ", vm->gpr[RAX]);
		go(vm, l2_read, TEST_ADDRESS + 6 * PAGE_SIZE);
		say("%s; ", exit_reason_name(vm->basic_reason));
	}
}

/* Expect: from 2 MB to 4 KB pages that no longer are next to each other, all 512 right. */
static void scattered(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 memory = (u64)pages_alloc(512, SIZE_2MB);
	u32 wrong = 0;

	for (u64 i = 0; i < 512; i++)
		*(u64 *)(memory + i * PAGE_SIZE) = i;
	*ept_entry(vm->ept, TEST_ADDRESS, 2) = memory | WB | EPT_LARGE | EPT_RWX;
	for (u64 i = 0; i < 512; i++) {
		go(vm, l2_read, TEST_ADDRESS + i * PAGE_SIZE);
		wrong += vm->gpr[RAX] != i;
	}
	for (u64 i = 0; i < 512; i++)
		*ept_entry(vm->ept, TEST_ADDRESS + i * PAGE_SIZE, 1) =
			(memory + (i * 77 & 511) * PAGE_SIZE) | WB | EPT_RWX;
	flush();
	for (u64 i = 0; i < 512; i++) {
		go(vm, l2_read, TEST_ADDRESS + i * PAGE_SIZE);
		wrong += vm->gpr[RAX] != (i * 77 & 511);
	}
	say("wrong=%u", wrong);
}

/* Expect: a 1 GB page gives way to tables and comes back. */
static void gigabyte(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 page = page_with(0x33), *entry = ept_entry(vm->ept, TEST_ADDRESS, 3);
	u64 address = TEST_ADDRESS + page % SIZE_1GB, whole = (page & ~(SIZE_1GB - 1)) | WB | EPT_LARGE | EPT_RWX;

	for (u32 i = 0; i < 3; i++) {
		*entry = whole;
		flush();
		go(vm, l2_read, address);
		say("%lx ", vm->gpr[RAX]);
		*entry = 0;
		*ept_entry(vm->ept, address, 1) = page_with(0x40 + i) | WB | EPT_RWX;
		flush();
		go(vm, l2_read, address);
		say("%lx ", vm->gpr[RAX]);
		go(vm, l2_read, address + PAGE_SIZE);
		say("%s; ", exit_reason_name(vm->basic_reason));
	}
}

static bool has_1gb(void)
{
	return ept_vpid_offers(CAP_EPT_1GB);
}

/* Expect: a table that was copied elsewhere counts, the old one does not. */
static void moved_table(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 *entry, *copy;

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page_with(0x1) | WB | EPT_RWX;
	go(vm, l2_read, TEST_ADDRESS);
	say("%lx ", vm->gpr[RAX]);
	for (u32 level = 2; level <= 4; level++) {
		entry = ept_entry(vm->ept, TEST_ADDRESS, level);
		copy = memcpy(page_alloc(), (void *)(*entry & TABLE_ADDRESS), PAGE_SIZE);
		memset((void *)(*entry & TABLE_ADDRESS), 0, PAGE_SIZE);
		*entry = (u64)copy | EPT_RWX;
		*ept_entry(vm->ept, TEST_ADDRESS, 1) = page_with(level) | WB | EPT_RWX;
		flush();
		go(vm, l2_read, TEST_ADDRESS);
		say("%lx ", vm->gpr[RAX]);
	}
}

/* Expect: a translation that became misconfigured is, and another page's is not. */
static void becomes_misconfigured(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1), page = page_with(RET);

	*ept_entry(vm->ept, TEST_ADDRESS + PAGE_SIZE, 1) = page | WB | EPT_RWX;
	*entry = page | WB | EPT_RWX;
	say_rights(vm, TEST_ADDRESS);
	*entry = page | (2 << 3) | EPT_RWX;
	flush();
	say_rights(vm, TEST_ADDRESS);
	say_rights(vm, TEST_ADDRESS + PAGE_SIZE);
	*entry = page | WB | EPT_READ;
	flush();
	say_rights(vm, TEST_ADDRESS);
}

/* Expect: one EPT12 for two VMCSs; INVEPT under one of them counts for both. */
static void shared_tables(void)
{
	struct vm *a = vm_create(l2_read), *b = vm_create(l2_read);
	u64 *entry = ept_entry(a->ept, TEST_ADDRESS, 1);

	vmwrite(EPT_POINTER, a->ept | EPTP_WB | EPTP_4_LEVELS);
	for (u64 i = 1; i <= 4; i++) {
		*entry = page_with(i) | WB | EPT_RWX;
		vmptrld(i & 1 ? a->vmcs : b->vmcs);
		flush();
		go(i & 1 ? a : b, l2_read, TEST_ADDRESS);
		say("%lx", (i & 1 ? a : b)->gpr[RAX]);
		vmptrld(i & 1 ? b->vmcs : a->vmcs);
		go(i & 1 ? b : a, l2_read, TEST_ADDRESS);
		say("%lx ", (i & 1 ? b : a)->gpr[RAX]);
	}
}

/* Expect: more address spaces than any cache has places, each with its own page. */
static void many_eptps(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 roots[20];
	u32 wrong = 0;

	for (u32 i = 0; i < ARRAY_SIZE(roots); i++) {
		roots[i] = (u64)memcpy(page_alloc(), (void *)vm->ept, PAGE_SIZE);
		*(u64 *)roots[i] = (u64)memcpy(page_alloc(), (void *)(*(u64 *)roots[i] & TABLE_ADDRESS), PAGE_SIZE) | EPT_RWX;
		*ept_entry(roots[i], TEST_ADDRESS, 1) = page_with(i + 1) | WB | EPT_RWX;
	}
	for (u32 i = 0; i < 200; i++) {
		u32 which = i * 7 % ARRAY_SIZE(roots);

		vmwrite(EPT_POINTER, roots[which] | EPTP_WB | EPTP_4_LEVELS);
		go(vm, l2_read, TEST_ADDRESS);
		wrong += vm->gpr[RAX] != which + 1;
	}
	say("wrong=%u", wrong);
}

/* Expect: with and without A/D flags in the EPTP, the same tables; flags only with them. */
static void accessed_dirty_by_eptp(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	for (u32 i = 0; i < 4; i++) {
		*entry = page_with(i) | WB | EPT_RWX;
		flush();
		vmwrite(EPT_POINTER, vm->ept | EPTP_WB | EPTP_4_LEVELS | (i & 1 ? EPTP_ACCESSED_DIRTY : 0));
		go(vm, i & 2 ? l2_write : l2_read, TEST_ADDRESS);
		say("%u%u ", !!(*entry & EPT_ACCESSED), !!(*entry & EPT_DIRTY));
	}
}

static bool has_accessed_dirty(void)
{
	return ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY);
}

/* Expect: of pages side by side only the one that L2 uses gets flags, each at its first use, by read or by write. */
static void flags_of_neighbours(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	for (u32 i = 0; i < 4; i++)
		entry[i] = page_with(i) | WB | EPT_RWX;
	vmwrite(EPT_POINTER, vm->ept | EPTP_WB | EPTP_4_LEVELS | EPTP_ACCESSED_DIRTY);
	for (u64 i = 0; i < 4; i++) {
		go(vm, i & 1 ? l2_write : l2_read, TEST_ADDRESS + i * PAGE_SIZE);
		for (u32 n = 0; n < 4; n++)
			say("%u%u ", !!(entry[n] & EPT_ACCESSED), !!(entry[n] & EPT_DIRTY));
		say("; ");
	}
	/* Cleared, they are set by use again. */
	for (u32 n = 0; n < 4; n++)
		entry[n] &= ~(EPT_ACCESSED | EPT_DIRTY);
	flush();
	go(vm, l2_read, TEST_ADDRESS + PAGE_SIZE);
	for (u32 n = 0; n < 4; n++)
		say("%u%u ", !!(entry[n] & EPT_ACCESSED), !!(entry[n] & EPT_DIRTY));
}

/* Expect: a page that becomes present needs no INVEPT, whatever was used next to it. */
static void neighbour_appears(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	entry[0] = page_with(0x10) | WB | EPT_RWX;
	go(vm, l2_read, TEST_ADDRESS);
	say("%lx ", vm->gpr[RAX]);
	for (u64 i = 1; i < 4; i++) {
		if (i & 1) {
			go(vm, l2_read, TEST_ADDRESS + i * PAGE_SIZE);
			say("%s ", exit_reason_name(vm->basic_reason));
		}
		entry[i] = page_with(0x10 + i) | WB | EPT_RWX;
		go(vm, l2_read, TEST_ADDRESS + i * PAGE_SIZE);
		say("%lx ", vm->gpr[RAX]);
	}
}

/* Expect: INVEPT of one of two EPTPs; its pages that were remapped, taken away or made read-only are so, the others as before. */
static void one_of_two_eptps(void)
{
	struct vm *vm = vm_create(l2_read), *other = vm_create(l2_read);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1), *others = ept_entry(other->ept, TEST_ADDRESS, 1);

	for (u64 i = 0; i < 8; i++) {
		entry[i] = page_with(0x20 + i) | WB | EPT_RWX;
		others[i] = page_with(0x30 + i) | WB | EPT_RWX;
	}
	for (u32 round = 0; round < 3; round++) {
		if (round == 1) {
			entry[1] = page_with(0x41) | WB | EPT_RWX;
			entry[2] = 0;
			entry[3] &= ~(u64)EPT_WRITE;
		} else if (round == 2) {
			entry[2] = page_with(0x42) | WB | EPT_RWX;
			entry[3] |= EPT_WRITE;
		}
		vmptrld(vm->vmcs);
		flush();
		for (u64 i = 0; i < 5; i++) {
			go(vm, i == 3 ? l2_write_ret : l2_read, TEST_ADDRESS + i * PAGE_SIZE);
			say(vm->basic_reason == REASON_VMCALL ? "%lx " : "- ", vm->gpr[RAX]);
		}
		vmptrld(other->vmcs);
		go(other, l2_read, TEST_ADDRESS + round * PAGE_SIZE);
		say("%lx; ", other->gpr[RAX]);
	}
}

SCENARIOS(ept_change_scenarios,
	{ "ept.leaf_rights", leaf_rights,
	  "rwx r-x r-- rw- rwx --x r-x --x --- rwx r-- mmm rwx ", has_execute_only },
	{ "ept.table_rights", table_rights,
	  "rwx r-x rwx r-- rw- --- rwx rwx r-x rwx r-- rw- --- rwx ", NULL },
	{ "ept.larger_and_smaller", larger_and_smaller,
	  "0x20 0x25 EPT_VIOLATION; 0x10 0x15 VMCALL; 0x20 0x25 EPT_VIOLATION; 0x10 0x15 VMCALL; "
	  "0x20 0x25 EPT_VIOLATION; ", NULL },
	{ "ept.scattered", scattered, "wrong=0", NULL },
	{ "ept.gigabyte", gigabyte,
	  "0x33 0x40 EPT_VIOLATION; 0x33 0x41 EPT_VIOLATION; 0x33 0x42 EPT_VIOLATION; ", has_1gb },
	{ "ept.moved_table", moved_table, "1 2 3 4 ", NULL },
	{ "ept.becomes_misconfigured", becomes_misconfigured, "rwx mmm rwx r-- ", NULL },
	{ "ept.shared_tables", shared_tables, "11 22 33 44 ", NULL },
	{ "ept.many_eptps", many_eptps, "wrong=0", NULL },
	{ "ept.accessed_dirty_by_eptp", accessed_dirty_by_eptp, "00 10 00 11 ", has_accessed_dirty },
	{ "ept.flags_of_neighbours", flags_of_neighbours,
	  "10 00 00 00 ; 10 11 00 00 ; 10 11 10 00 ; 10 11 10 11 ; 00 10 00 00 ", has_accessed_dirty },
	{ "ept.neighbour_appears", neighbour_appears, "0x10 EPT_VIOLATION 0x11 0x12 EPT_VIOLATION 0x13 ", NULL },
	{ "ept.one_of_two_eptps", one_of_two_eptps,
	  "0x20 0x21 0x22 0x77 0x24 0x30; 0x20 0x41 - - 0x24 0x31; 0x20 0x41 0x42 0x77 0x24 0x32; ", NULL },
);
