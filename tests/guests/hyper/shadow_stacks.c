/* SPDX-License-Identifier: MIT */
/*
 * Control-flow enforcement at work in L2: shadow stacks and indirect-branch tracking,
 * their faults, and pages of them that EPT12 maps late. SDM "Control-flow
 * Enforcement Technology (CET)".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SHADOW_STACK_ENABLED BIT(0)
#define ENDBRANCH_ENABLED BIT(2)
#define TRACKER BIT(11)

static bool has_cet(void)
{
	return entry_offers(ENTRY_LOAD_CET_STATE) && exit_offers(EXIT_LOAD_CET_STATE);
}

/* Relative to the shadow stack's page. */
static u64 below(u64 address)
{
	return address - TEST_ADDRESS;
}

/* The linear address of L2's shadow stack: a page that is read-only and dirty, SDM "Shadow Stack Memory". */
static u64 stack_page(struct vm *vm)
{
	u64 page = (u64)page_alloc(), *entry = paging_entry(vm->page_table, TEST_ADDRESS, 1, PTE_P | PTE_W);

	*entry = page | PTE_P | PTE_A | PTE_D;
	return page;
}

static struct vm *create(const u8 *code, u64 s_cet)
{
	struct vm *vm = vm_create(code);

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_CET_STATE);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_CET_STATE);
	vm_set(GUEST_CR0, CR0_WP);
	vm_set(GUEST_CR4, CR4_CET);
	vmwrite(GUEST_IA32_S_CET, s_cet);
	vmwrite(GUEST_SSP, TEST_ADDRESS + 0x800);
	vmwrite(GUEST_IA32_INTERRUPT_SSP_TABLE, 0);
	vmwrite(HOST_IA32_S_CET, 0);
	vmwrite(HOST_SSP, 0);
	vmwrite(HOST_IA32_INTERRUPT_SSP_TABLE, 0);
	return vm;
}

/* Expect: the return address on both stacks; SSP is back where it was. */
static void call_and_return(void)
{
	struct vm *vm = create(l2_shadow_call, SHADOW_STACK_ENABLED);
	u64 *page = (u64 *)stack_page(vm);

	vm_step(vm);
	say(" within=%lx after=%lx ssp=%lx shadow=+%lu", below(vm->gpr[RBX]), below(vm->gpr[RAX]),
	    below(vmread(GUEST_SSP)), page[0x7f8 / 8] - vm->code);
}

/* Expect: #CP, error code 1, with both stack pointers at the return. */
static void mismatch(void)
{
	struct vm *vm = create(l2_shadow_mismatch, SHADOW_STACK_ENABLED);

	stack_page(vm);
	vm_step(vm);
	say(" ssp=%lx", below(vmread(GUEST_SSP)));
}

/* Expect: an exit for a page that EPT12 lacks, by a write; then it goes on. */
static void late_page(void)
{
	struct vm *vm = create(l2_shadow_call, SHADOW_STACK_ENABLED);
	u64 page = stack_page(vm);

	*ept_entry(vm->ept, page, 1) = 0;
	if (!vm_run(vm))
		return;
	say("%s write=%u ssp=%lx; ", exit_reason_name(vm->basic_reason), !!(vmread(EXIT_QUALIFICATION) & BIT(1)),
	    below(vmread(GUEST_SSP)));
	*ept_entry(vm->ept, page, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm_step(vm);
	say(" within=%lx after=%lx", below(vm->gpr[RBX]), below(vm->gpr[RAX]));
}

/* Expect: #CP, error code 3, with the tracker still waiting for ENDBR64; and none where it is. */
static void tracking(void)
{
	struct vm *vm = create(l2_tracked_jump, ENDBRANCH_ENABLED);

	vm_step(vm);
	say(" s_cet=%lx; ", vmread(GUEST_IA32_S_CET));
	vm_restart(vm, l2_tracked_jump_well);
	vmwrite(GUEST_IA32_S_CET, ENDBRANCH_ENABLED);
	vm_step(vm);
	say(" s_cet=%lx", vmread(GUEST_IA32_S_CET));
}

/* Expect: the tracker that entry loads is in force at L2's first instruction. */
static void tracker_loaded(void)
{
	struct vm *vm = create(l2_vmcall, ENDBRANCH_ENABLED | TRACKER);

	vm_step(vm);
	say(" s_cet=%lx", vmread(GUEST_IA32_S_CET));
}

SCENARIOS(shadow_stack_scenarios,
	{ "cet.call_and_return", call_and_return, "VMCALL(18) length=3 rip=+10 within=0x7f8 after=0x800 ssp=0x800 shadow=+5", has_cet },
	{ "cet.mismatch", mismatch, "EXCEPTION_OR_NMI(0) event=0x80000b15 error=1 rip=+19 ssp=0x7f8", has_cet },
	{ "cet.late_page", late_page,
	  "EPT_VIOLATION write=1 ssp=0x800; VMCALL(18) length=3 rip=+10 within=0x7f8 after=0x800", has_cet },
	{ "cet.tracking", tracking,
	  "EXCEPTION_OR_NMI(0) event=0x80000b15 error=3 rip=+9 s_cet=0x804; VMCALL(18) length=3 rip=+13 s_cet=4", has_cet },
	{ "cet.tracker_loaded", tracker_loaded, "EXCEPTION_OR_NMI(0) event=0x80000b15 error=3 rip=+0 s_cet=0x804", has_cet },
);
