/* SPDX-License-Identifier: MIT */
/*
 * EPT violations and misconfigurations, SDM "EPT-Induced VM Exits". The
 * addresses under test lie above 4 GB, where EPT12 maps nothing at first.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define RET 0xc3

static u64 map(struct vm *vm, u64 flags)
{
	u64 page = (u64)page_alloc();

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | EPT_MEMORY_TYPE_WB | flags;
	return page;
}

/* Expect: exit 48 without permissions in the qualification; a mapped page is read at once. */
static void violation_read(void)
{
	struct vm *vm = vm_create(l2_read);

	vm->gpr[RSI] = TEST_ADDRESS + 0x123;
	vm_step(vm);
	*(u64 *)(map(vm, EPT_RWX) + 0x123) = 0x1badcafe;
	say("; ");
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

static void violation_write(void)
{
	struct vm *vm = vm_create(l2_write);
	u64 page = map(vm, EPT_READ);

	vm->gpr[RSI] = TEST_ADDRESS + 8;
	vm->gpr[RAX] = 0x55aa;
	vm_step(vm);
	*ept_entry(vm->ept, TEST_ADDRESS, 1) |= EPT_WRITE;
	invept(1, vmread(EPT_POINTER));
	say("; ");
	vm_step(vm);
	say(" memory=%lx", *(u64 *)(page + 8));
}

static void violation_execute(void)
{
	struct vm *vm = vm_create(l2_call);
	u64 page = map(vm, EPT_READ | EPT_WRITE);

	*(u8 *)page = RET;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	*ept_entry(vm->ept, TEST_ADDRESS, 1) |= EPT_EXECUTE;
	invept(1, vmread(EPT_POINTER));
	say("; ");
	vm_step(vm);
}

/*
 * Expect: a read-modify-write is reported as a write; SDM "Exit Qualification
 * for EPT Violations" leaves open whether also as a read.
 */
static void violation_read_write(void)
{
	struct vm *vm = vm_create(l2_read_write);

	vm->gpr[RSI] = TEST_ADDRESS;
	if (!vm_run(vm))
		return;
	say("reason=%u write=%u; ", vm->basic_reason, !!(vmread(EXIT_QUALIFICATION) & BIT(1)));
	*(u64 *)map(vm, EPT_RWX) = 41;
	vm_step(vm);
	say(" memory=%lu", *(u64 *)(*ept_entry(vm->ept, TEST_ADDRESS, 1) & ~0xfffull));
}

SCENARIOS(ept_scenarios,
	{ "ept.violation_read", violation_read,
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000123 rip=+0; "
	  "VMCALL(18) length=3 rip=+3 rax=0x1badcafe", NULL },
	{ "ept.violation_write", violation_write,
	  "EPT_VIOLATION(48) qualification=0x18a physical=0x140000008 rip=+0; "
	  "VMCALL(18) length=3 rip=+3 memory=0x55aa", NULL },
	{ "ept.violation_execute", violation_execute,
	  "EPT_VIOLATION(48) qualification=0x19c physical=0x140000000; "
	  "VMCALL(18) length=3 rip=+2", NULL },
	{ "ept.violation_read_write", violation_read_write,
	  "reason=48 write=1; VMCALL(18) length=3 rip=+5 memory=42", NULL },
);
