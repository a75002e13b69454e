/* SPDX-License-Identifier: MIT */
/*
 * Mode-based execute control: bit 2 of an EPT entry is for code at supervisor-mode linear addresses, bit 10 for
 * user-mode ones. Which a linear address is, L2's own tables say. SDM "EPT Violations".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define RET 0xc3
#define X EPT_EXECUTE
#define XU EPT_USER_EXECUTE

static u64 page;

static bool has_modes(void)
{
	return proc2_offers(PROC2_MODE_BASED_EXECUTE);
}

static bool has_execute_only(void)
{
	return has_modes() && ept_vpid_offers(CAP_EPT_EXECUTE_ONLY);
}

static void flush(void)
{
	invept(1, vmread(EPT_POINTER));
}

/* A user-mode or supervisor-mode linear address; entry of EPT12 for it. L2's translations go with each entry. */
static void map(struct vm *vm, bool user, u64 permissions)
{
	*paging_entry(vm->page_table, TEST_ADDRESS, 1, PTE_P | PTE_W | PTE_U) = TEST_ADDRESS | PTE_P | PTE_W | (user ? PTE_U : 0);
	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | permissions | EPT_MEMORY_TYPE_WB;
	vm_flush_all();
}

/* Tables above allow all. */
static struct vm *create(void)
{
	struct vm *vm = vm_create(l2_call);
	u8 *code = page_alloc();

	*code = RET;
	page = (u64)code;
	(void)ept_entry(vm->ept, TEST_ADDRESS, 1);
	*paging_entry(vm->page_table, TEST_ADDRESS, 2, PTE_P | PTE_W | PTE_U) |= PTE_U;
	for (u32 level = 2; level <= 4; level++)
		*ept_entry(vm->ept, TEST_ADDRESS, level) |= XU;
	vm_set_secondary(PROC2_MODE_BASED_EXECUTE);
	return vm;
}

static void go(struct vm *vm, const u8 *code)
{
	vm_restart(vm, code);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_run(vm);
	if (vm->basic_reason == REASON_VMCALL)
		say("done; ");
	else if (vm->basic_reason == REASON_EPT_VIOLATION)
		say("violation %lx; ", vmread(EXIT_QUALIFICATION) & 0x1ff);
	else
		say("%s; ", exit_reason_name(vm->basic_reason));
}

static void try_both(struct vm *vm, u64 permissions)
{
	map(vm, false, permissions);
	say("supervisor ");
	go(vm, l2_call);
	map(vm, true, permissions);
	say("user ");
	go(vm, l2_call);
}

/* Expect: each mode has its bit; the qualification tells both. */
static void readable(void)
{
	struct vm *vm = create();

	try_both(vm, EPT_READ);
	try_both(vm, EPT_READ | X);
	try_both(vm, EPT_READ | XU);
	try_both(vm, EPT_READ | X | XU);
}

/* Expect: the same for code that cannot be read. */
static void execute_only(void)
{
	struct vm *vm = create();

	try_both(vm, X);
	try_both(vm, XU);
	try_both(vm, X | XU);
	try_both(vm, 0);
}

/* Expect: bit 10 counts at each level; the highest is L2's code's, too. */
static void tables(void)
{
	struct vm *vm = create();

	for (u32 level = 2; level <= 3; level++) {
		*ept_entry(vm->ept, TEST_ADDRESS, level) &= ~XU;
		try_both(vm, EPT_RWX | XU);
		*ept_entry(vm->ept, TEST_ADDRESS, level) |= XU;
		*ept_entry(vm->ept, TEST_ADDRESS, level) &= ~X;
		try_both(vm, EPT_RWX | XU);
		*ept_entry(vm->ept, TEST_ADDRESS, level) |= X;
	}
	try_both(vm, EPT_RWX | XU);
}

/* Expect: a large page has the bit too. */
static void large_page(void)
{
	struct vm *vm = create();
	u8 *code = pages_alloc(512, 2ull << 20);

	*code = RET;
	for (u32 user = 0; user < 2; user++) {
		map(vm, user, 0);
		*ept_entry(vm->ept, TEST_ADDRESS, 2) = (u64)code | EPT_READ | XU | EPT_LARGE | EPT_MEMORY_TYPE_WB;
		vm_flush_all();
		go(vm, l2_call);
		*ept_entry(vm->ept, TEST_ADDRESS, 2) = 0;
		vm_flush_all();
		for (u32 level = 2; level <= 4; level++)
			(void)ept_entry(vm->ept, TEST_ADDRESS, 1), *ept_entry(vm->ept, TEST_ADDRESS, level) |= XU;
	}
}

/* Expect: bit 10 makes an entry present, and needs bit 0 beside bit 1. */
static void misconfigurations(void)
{
	struct vm *vm = create();

	try_both(vm, XU | EPT_WRITE);
	try_both(vm, XU | X | EPT_WRITE);
	map(vm, true, XU | 2 << 3);
	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | XU | 2 << 3;
	flush();
	go(vm, l2_call);
}

/* Expect: without the control bit 10 is ignored, and bit 2 is for both. */
static void control_off(void)
{
	struct vm *vm = create();

	vm_clear(SECONDARY_CONTROLS, PROC2_MODE_BASED_EXECUTE);
	try_both(vm, EPT_READ | X);
	try_both(vm, EPT_READ | XU);
	try_both(vm, XU);
}

/* Expect: one EPT12 means the one thing with the control and the other without it. */
static void control_on_and_off(void)
{
	struct vm *vm = create();

	map(vm, true, EPT_READ | XU);
	for (u32 i = 0; i < 4; i++) {
		if (i & 1)
			vm_clear(SECONDARY_CONTROLS, PROC2_MODE_BASED_EXECUTE);
		else
			vm_set(SECONDARY_CONTROLS, PROC2_MODE_BASED_EXECUTE);
		vm_flush_all();
		go(vm, l2_call);
	}
}

/* Expect: a permission that was refused may be given without INVEPT, and one page may change its mode. */
static void more_rights(void)
{
	struct vm *vm = create();
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	map(vm, true, EPT_READ | X);
	go(vm, l2_call);
	*entry |= XU;
	go(vm, l2_call);
	*entry &= ~XU;
	flush();
	go(vm, l2_call);
	*entry = (*entry & ~X) | XU;
	flush();
	go(vm, l2_call);
}

/* Expect: reads and writes have nothing to do with it; accessed and dirty flags are set as ever. */
static void data(void)
{
	struct vm *vm = create();

	if (ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY))
		vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	map(vm, true, EPT_READ | EPT_WRITE);
	go(vm, l2_read);
	go(vm, l2_write_ret);
	go(vm, l2_call);
	say("flags=%lx; ", *ept_entry(vm->ept, TEST_ADDRESS, 1) >> 8 & 3);
	map(vm, true, XU);
	go(vm, l2_call);
	say("flags=%lx", *ept_entry(vm->ept, TEST_ADDRESS, 1) >> 8 & 3);
}

/* Expect: the qualification of a data access tells them, too. */
static void data_violation(void)
{
	struct vm *vm = create();

	map(vm, true, EPT_READ | X | XU);
	go(vm, l2_write_ret);
	map(vm, true, EPT_READ | XU);
	go(vm, l2_write_ret);
	map(vm, true, EPT_READ | X);
	go(vm, l2_write_ret);
}

SCENARIOS(mode_execute_scenarios,
	{ "mode_execute.readable", readable,
	  "supervisor violation 0x18c; user violation 0x18c; supervisor done; user violation 0x1ac; "
	  "supervisor violation 0x1cc; user done; supervisor done; user done; ", has_modes },
	{ "mode_execute.execute_only", execute_only,
	  "supervisor done; user violation 0x1a4; supervisor violation 0x1c4; user done; supervisor done; user done; "
	  "supervisor violation 0x184; user violation 0x184; ", has_execute_only },
	{ "mode_execute.tables", tables,
	  "supervisor done; user violation 0x1bc; supervisor violation 0x1dc; user done; "
	  "supervisor done; user violation 0x1bc; supervisor violation 0x1dc; user done; "
	  "supervisor done; user done; ", has_modes },
	{ "mode_execute.large_page", large_page, "violation 0x1cc; done; ", has_modes },
	{ "mode_execute.misconfigurations", misconfigurations,
	  "supervisor EPT_MISCONFIGURATION; user EPT_MISCONFIGURATION; supervisor EPT_MISCONFIGURATION; "
	  "user EPT_MISCONFIGURATION; EPT_MISCONFIGURATION; ", has_modes },
	{ "mode_execute.control_off", control_off,
	  "supervisor done; user done; supervisor violation 0x18c; user violation 0x18c; "
	  "supervisor violation 0x184; user violation 0x184; ", has_modes },
	{ "mode_execute.control_on_and_off", control_on_and_off, "done; violation 0x18c; done; violation 0x18c; ", has_modes },
	{ "mode_execute.more_rights", more_rights, "violation 0x1ac; done; violation 0x1ac; done; ", has_modes },
	{ "mode_execute.data", data, "done; done; violation 0x19c; flags=3; done; flags=1", has_execute_only },
	{ "mode_execute.data_violation", data_violation, "violation 0x1ea; violation 0x1ca; violation 0x1aa; ", has_modes },
);
