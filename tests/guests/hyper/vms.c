/* SPDX-License-Identifier: MIT */
/*
 * Several L2s in turn, VPIDs, and what survives between runs: each VMCS keeps
 * its own L2, whatever ran in between.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define MANY 9

static struct vm *vms[MANY];
static u64 *pages[MANY];

/* Each has a page of its own at the same address, and counts in it. */
static void create_many(u32 count)
{
	for (u32 i = 0; i < count; i++) {
		vms[i] = vm_create(l2_count);
		pages[i] = page_alloc();
		*ept_entry(vms[i]->ept, TEST_ADDRESS, 1) = (u64)pages[i] | EPT_RWX | EPT_MEMORY_TYPE_WB;
		vms[i]->gpr[RSI] = TEST_ADDRESS;
		vms[i]->gpr[R12] = i + 1;
	}
}

static void run_in_turn(u32 count, u32 rounds)
{
	u32 wrong = 0;

	create_many(count);
	for (u32 round = 0; round < rounds; round++) {
		for (u32 i = 0; i < count; i++) {
			vmptrld(vms[i]->vmcs);
			if (!vm_run(vms[i]) || vms[i]->basic_reason != REASON_VMCALL)
				wrong++;
			else
				vm_skip(vms[i]);
		}
	}
	say("wrong=%u", wrong);
	for (u32 i = 0; i < count; i++)
		say(" %lu/%lu/%lu", vms[i]->gpr[RBX], vms[i]->gpr[R13], *pages[i]);
}

static void two(void)
{
	run_in_turn(2, 10);
}

static void nine(void)
{
	run_in_turn(MANY, 4);
}

/* Expect: VMCLEAR, VMXOFF and VMXON in between lose nothing of L2. */
static void over_vmxoff(void)
{
	create_many(2);
	for (u32 i = 0; i < 2; i++) {
		vmptrld(vms[i]->vmcs);
		vm_run(vms[i]);
		vm_skip(vms[i]);
	}
	for (u32 i = 0; i < 2; i++) {
		vmclear(vms[i]->vmcs);
		vms[i]->launched = false;
	}
	vmx_off();
	vmx_on();
	for (u32 i = 0; i < 2; i++) {
		vmptrld(vms[i]->vmcs);
		vm_step(vms[i]);
		say(" rbx=%lu memory=%lu; ", vms[i]->gpr[RBX], *pages[i]);
	}
}

/* Expect: every register comes back as L1 left it. */
static void registers(void)
{
	struct vm *vm = vm_create(l2_nops);
	u32 good = 0;

	for (u32 i = 0; i < 16; i++)
		vm->gpr[i] = 0x0101010101010101 * (i + 1);
	vm_step(vm);
	for (u32 i = 0; i < 16; i++)
		good += vm->gpr[i] == 0x0101010101010101 * (i + 1);
	say(" %u of 16", good);
}

/* Expect: what L2's tables, control registers and segments are, the VMCS says after the exit. */
static void state_saved(void)
{
	struct vm *vm = vm_create(l2_nops);

	vmwrite(GUEST_GS_BASE, 0x12345000);
	vmwrite(GUEST_ES_LIMIT, 0xfffff);
	vmwrite(GUEST_ES_ACCESS_RIGHTS, 0x4093);
	vmwrite(GUEST_IA32_SYSENTER_ESP, 0x7777);
	vm_step(vm);
	say(" cs=%lx/%lx es=%lx/%lx tr=%lx/%lx gs=%lx sysenter=%lx cr3=%u gdtr=%u",
	    vmread(GUEST_CS_SELECTOR), vmread(GUEST_CS_ACCESS_RIGHTS), vmread(GUEST_ES_LIMIT),
	    vmread(GUEST_ES_ACCESS_RIGHTS), vmread(GUEST_TR_SELECTOR), vmread(GUEST_TR_ACCESS_RIGHTS),
	    vmread(GUEST_GS_BASE), vmread(GUEST_IA32_SYSENTER_ESP), vmread(GUEST_CR3) == vm->page_table,
	    vmread(GUEST_GDTR_BASE) == (u64)vm->tables->gdt);
}

static bool has_vpid(void)
{
	return proc2_offers(PROC2_ENABLE_VPID) &&
	       ept_vpid_offers(CAP_INVVPID | CAP_INVVPID_ADDRESS | CAP_INVVPID_SINGLE);
}

static u64 linear_page(struct vm *vm, u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	*paging_entry(vm->page_table, TEST_ADDRESS, 1, PTE_P | PTE_W) = (u64)page | PTE_P | PTE_W;
	return (u64)page;
}

static void set_vpid(u16 vpid)
{
	vm_set_secondary(PROC2_ENABLE_VPID);
	vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, vpid);
}

static void read_again(struct vm *vm)
{
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_run(vm);
	say("%lx ", vm->gpr[RAX]);
}

/* Expect: after each kind of INVVPID L2 sees the page that its tables name. */
static void invvpid_kinds(void)
{
	struct vm *vm = vm_create_without_ept(l2_read);

	set_vpid(7);
	linear_page(vm, 0x1);
	read_again(vm);
	linear_page(vm, 0x2);
	invvpid(0, 7, TEST_ADDRESS);
	read_again(vm);
	linear_page(vm, 0x3);
	invvpid(1, 7, 0);
	read_again(vm);
	linear_page(vm, 0x4);
	invvpid(2, 0, 0);
	read_again(vm);
	linear_page(vm, 0x5);
	if (ept_vpid_offers(CAP_INVVPID_RETAIN_GLOBALS))
		invvpid(3, 7, 0);
	else
		invvpid(1, 7, 0);
	read_again(vm);
}

/* Expect: two VPIDs keep two address spaces apart, with and without EPT. */
static void vpid_separates(void)
{
	struct vm *a = vm_create_without_ept(l2_read), *b;

	set_vpid(1);
	linear_page(a, 0xa);
	b = vm_create(l2_read);
	set_vpid(2);
	linear_page(b, 0xb);
	*ept_entry(b->ept, TEST_ADDRESS, 1) = 0;
	for (u32 i = 0; i < 3; i++) {
		vmptrld(a->vmcs);
		read_again(a);
		vmptrld(b->vmcs);
		read_again(b);
	}
}

SCENARIOS(vm_scenarios,
	{ "vms.two", two, "wrong=0 10/10/55 10/20/55", NULL },
	{ "vms.nine", nine,
	  "wrong=0 4/4/10 4/8/10 4/12/10 4/16/10 4/20/10 4/24/10 4/28/10 4/32/10 4/36/10", NULL },
	{ "vms.over_vmxoff", over_vmxoff,
	  "VMCALL(18) length=3 rip=+12 rbx=2 memory=3; "
	  "VMCALL(18) length=3 rip=+12 rbx=2 memory=3; ", NULL },
	{ "vms.registers", registers, "VMCALL(18) length=3 rip=+3 16 of 16", NULL },
	{ "vms.state_saved", state_saved,
	  "VMCALL(18) length=3 rip=+3 cs=8/0xa09b es=0xfffff/0x4093 tr=0x20/0x8b gs=0x12345000 sysenter=0x7777 cr3=1 gdtr=1", NULL },
	{ "vpid.invvpid", invvpid_kinds, "1 2 3 4 5 ", has_vpid },
	{ "vpid.separates", vpid_separates, "0xa 0xb 0xa 0xb 0xa 0xb ", has_vpid },
);
