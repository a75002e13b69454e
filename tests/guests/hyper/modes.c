/* SPDX-License-Identifier: MIT */
/*
 * L2 in every mode of the processor: real mode, 32-bit with each kind of
 * paging, compatibility mode, user mode; and 64-bit without EPT.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define REAL_STACK 0x7000ull
#define REAL_CODE 0x8000ull
#define PAE_TEST 0xc0000000ull

static bool has_efer(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER) && exit_offers(EXIT_LOAD_IA32_EFER);
}

static bool has_unrestricted(void)
{
	return has_efer() && proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

static bool cr3_is_free(void)
{
	return has_efer() && !(rdmsr(IA32_VMX_TRUE_PROCBASED_CTLS) & PROC_CR3_LOAD_EXITING);
}

static void leave_ia32e(void)
{
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
	vmwrite(GUEST_IA32_EFER, 0);
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
}

static void flat32(u64 clear_cr0, u64 cr4_clear, u64 cr4_set)
{
	leave_ia32e();
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vm_clear(GUEST_CR0, clear_cr0);
	vm_clear(GUEST_CR4, cr4_clear);
	vm_set(GUEST_CR4, cr4_set);
}

static void real_segment(u32 index, u64 base, u64 rights)
{
	vmwrite(GUEST_ES_SELECTOR + index * 2, base >> 4);
	vmwrite(GUEST_ES_BASE + index * 2, base);
	vmwrite(GUEST_ES_LIMIT + index * 2, 0xffff);
	vmwrite(GUEST_ES_ACCESS_RIGHTS + index * 2, rights);
}

static void real_memory(struct vm *vm)
{
	u32 *vectors = page_alloc();
	u64 code = (u64)page_alloc(), stack = (u64)page_alloc();
	u64 size = (u64)(l2_real_mode_end - l2_real_mode);

	memcpy((void *)code, l2_real_mode, size);
	vectors[0x21] = (u32)(REAL_CODE << 12) | (u32)(size - 4);
	*ept_entry(vm->ept, 0, 1) = (u64)vectors | EPT_RWX | EPT_MEMORY_TYPE_WB;
	*ept_entry(vm->ept, REAL_STACK, 1) = stack | EPT_RWX | EPT_MEMORY_TYPE_WB;
	*ept_entry(vm->ept, REAL_CODE, 1) = code | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm->code = 0;
}

/* Expect: unrestricted L2 in real mode; it may turn on CR0.PE by itself. */
static void real_mode(void)
{
	struct vm *vm = vm_create(l2_real_mode);

	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	leave_ia32e();
	vm_clear(GUEST_CR0, CR0_PE | CR0_PG);
	vm_clear(GUEST_CR4, CR4_PAE);
	for (u32 i = 0; i < 6; i++)
		real_segment(i, i == 1 ? REAL_CODE : i == 2 ? REAL_STACK : 0, i == 1 ? 0x9b : 0x93);
	vmwrite(GUEST_IDTR_BASE, 0);
	vmwrite(GUEST_IDTR_LIMIT, 0x3ff);
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RSP, 0xff0);
	real_memory(vm);
	vm_step(vm);
	say(" ax=%lx bx=%lx cx=%lx; ", vm->gpr[RAX], vm->gpr[RBX], vm->gpr[RCX]);
	vm_skip(vm);
	vm_step(vm);
	say(" pe=%u; ", (u32)(vmread(GUEST_CR0) & CR0_PE));
	vm_skip(vm);
	vm_step(vm);
}

static void run_code32(struct vm *vm)
{
	vm_step(vm);
	say(" eax=%lx ebx=%lx; ", vm->gpr[RAX], vm->gpr[RBX]);
	vm_skip(vm);
	vm_step(vm);
}

static void protected_without_paging(void)
{
	struct vm *vm = vm_create(l2_code32);

	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	flat32(CR0_PG, CR4_PAE, 0);
	run_code32(vm);
}

/* 4 MB pages, linear = physical. */
static u64 page_directory_32(void)
{
	u32 *directory = page_alloc();

	for (u32 i = 0; i < 1024; i++)
		directory[i] = (i << 22) | (u32)(PTE_P | PTE_W | PTE_PS);
	return (u64)directory;
}

static void paging_32(void)
{
	struct vm *vm = vm_create(l2_code32);

	flat32(0, CR4_PAE, CR4_PSE);
	vmwrite(GUEST_CR3, page_directory_32());
	run_code32(vm);
}

static void compatibility_mode(void)
{
	struct vm *vm = vm_create(l2_code32);

	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	run_code32(vm);
}

/* PAE tables: identity below PAE_TEST, one page with the value at PAE_TEST. */
static u64 *pae_tables(u64 value)
{
	u64 *pointers = page_alloc(), *last, *table = page_alloc(), *page = page_alloc();

	for (u64 i = 0; i < 4; i++) {
		u64 *directory = page_alloc();

		for (u64 j = 0; j < 512; j++)
			directory[j] = (i << 30) | (j << 21) | PTE_P | PTE_W | PTE_PS;
		pointers[i] = (u64)directory | PTE_P;
	}
	*page = value;
	table[0] = (u64)page | PTE_P | PTE_W;
	last = (u64 *)(pointers[3] & ~0xfffull);
	last[0] = (u64)table | PTE_P | PTE_W;
	return pointers;
}

static void run_pae(struct vm *vm, u64 *first, u64 *second)
{
	flat32(0, 0, 0);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	vmwrite(GUEST_CR3, (u64)first);
	vm->gpr[RSI] = PAE_TEST;
	vm->gpr[RDX] = (u64)second;
	vm_step(vm);
	say(" eax=%lx ebx=%lx", vm->gpr[RAX], vm->gpr[RBX]);
}

/* Expect: VM entry takes the entries from memory, MOV to CR3 the others. */
static void pae_without_ept(void)
{
	struct vm *vm = vm_create_without_ept(l2_pae_switch32);

	run_pae(vm, pae_tables(0xaa), pae_tables(0xbb));
}

/* Expect: with EPT they come from the VMCS, and are saved there. */
static void pae_with_ept(void)
{
	struct vm *vm = vm_create(l2_pae_switch32);
	u64 *first = pae_tables(0xaa), *second = pae_tables(0xbb);
	u32 saved = 0;

	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, first[i]);
	run_pae(vm, first, second);
	for (u32 i = 0; i < 4; i++)
		saved += vmread(GUEST_PDPTE0 + i * 2) == second[i];
	say(" saved=%u", saved);
}

/* Writes only fields that a hypervisor beneath may let pass unseen (VMCS shadowing). */
static void step_pae(struct vm *vm, u64 *first, u64 *second)
{
	vmwrite(GUEST_RIP, vm->code);
	vm->gpr[RBX] = 0;
	vmwrite(GUEST_CR3, (u64)first);
	vm->gpr[RSI] = PAE_TEST;
	vm->gpr[RDX] = (u64)second;
	say("; ");
	vm_step(vm);
	say(" eax=%lx ebx=%lx", vm->gpr[RAX], vm->gpr[RBX]);
}

/*
 * Expect: when the secondary controls go, and EPT with them, PDPTEs come from
 * memory and the fields stay; when they are back, the fields count again.
 */
static void pae_ept_comes_and_goes(void)
{
	struct vm *vm = vm_create(l2_pae_switch32);
	u64 *first = pae_tables(0xaa), *second = pae_tables(0xbb);
	u32 kept = 0;

	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, first[i]);
	run_pae(vm, first, second);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	step_pae(vm, pae_tables(0xcc), pae_tables(0xdd));
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	step_pae(vm, second, first);
	for (u32 i = 0; i < 4; i++)
		kept += vmread(GUEST_PDPTE0 + i * 2) == first[i];
	say(" saved=%u", kept);
}

/* Expect: a PDPTE with reserved bits fails the entry, or is L2's #GP at MOV to CR3. */
static void pae_reserved_bits(void)
{
	struct vm *vm = vm_create_without_ept(l2_pae_switch32);
	u64 *good = pae_tables(0xaa), *bad = pae_tables(0xbb);

	bad[1] |= 2;
	run_pae(vm, good, bad);
	vm_restart(vm, l2_pae_switch32);
	vmwrite(GUEST_CR3, (u64)bad);
	say("; ");
	vm_step(vm);
}

static void task_switch(void)
{
	struct vm *vm = vm_create(l2_task_switch32);
	u64 base = (u64)page_alloc();

	flat32(0, CR4_PAE, CR4_PSE);
	vmwrite(GUEST_CR3, page_directory_32());
	vm->tables->gdt[SELECTOR_TSS2 / 8] =
		0x67 | ((base & 0xffffff) << 16) | (0x89ull << 40) | ((base >> 24 & 0xff) << 56);
	vm_step(vm);
	say(" length=%lu", vmread(VM_EXIT_INSTRUCTION_LENGTH));
}

static struct vm *create_user(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vm->page_table = paging_identity(PTE_W | PTE_U);
	vmwrite(GUEST_CR3, vm->page_table);
	for (u32 i = 0; i < 6; i++) {
		vm_set(GUEST_ES_SELECTOR + i * 2, 3);
		vm_set(GUEST_ES_ACCESS_RIGHTS + i * 2, 3 << 5);
	}
	return vm;
}

/* Expect: CPUID and VMCALL exit at any privilege level, HLT is #GP first. */
static void user_mode(void)
{
	struct vm *vm = create_user(l2_cpuid);

	vm_step(vm);
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say("; ");
	vm_step(create_user(l2_hlt));
}

/* Expect: without EPT L2's tables name L1's physical addresses. */
static void without_ept(void)
{
	struct vm *vm = vm_create_without_ept(l2_read_write);
	u64 *page = page_alloc();

	*page = 0x41;
	*paging_entry(vm->page_table, TEST_ADDRESS, 1, PTE_P | PTE_W) = (u64)page | PTE_P | PTE_W;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	say(" memory=%lx accessed_dirty=%u; ", *page,
	    (*paging_entry(vm->page_table, TEST_ADDRESS, 1, 0) & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
	*paging_entry(vm->page_table, TEST_ADDRESS, 1, 0) = 0;
	vm_restart(vm, l2_read_write);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	say(" address=%lx", vmread(EXIT_QUALIFICATION));
}

SCENARIOS(mode_scenarios,
	{ "mode.real", real_mode,
	  "CPUID(10) length=2 rip=+7 ax=0x1234 bx=0x800 cx=0x5678; "
	  "CPUID(10) length=2 rip=+17 pe=1; HLT(12) length=1 rip=+19", has_unrestricted },
	{ "mode.protected_without_paging", protected_without_paging,
	  "CPUID(10) length=2 rip=+8 eax=0x11223343 ebx=0x11223344; VMCALL(18) length=3 rip=+10", has_unrestricted },
	{ "mode.paging_32", paging_32,
	  "CPUID(10) length=2 rip=+8 eax=0x11223343 ebx=0x11223344; VMCALL(18) length=3 rip=+10", has_efer },
	{ "mode.compatibility", compatibility_mode,
	  "CPUID(10) length=2 rip=+8 eax=0x11223343 ebx=0x11223344; VMCALL(18) length=3 rip=+10", NULL },
	{ "mode.pae_without_ept", pae_without_ept,
	  "VMCALL(18) length=3 rip=+7 eax=0xaa ebx=0xbb", cr3_is_free },
	{ "mode.pae_with_ept", pae_with_ept,
	  "VMCALL(18) length=3 rip=+7 eax=0xaa ebx=0xbb saved=4", cr3_is_free },
	{ "mode.pae_ept_comes_and_goes", pae_ept_comes_and_goes,
	  "VMCALL(18) length=3 rip=+7 eax=0xaa ebx=0xbb; VMCALL(18) length=3 rip=+7 eax=0xcc ebx=0xdd; "
	  "VMCALL(18) length=3 rip=+7 eax=0xbb ebx=0xaa saved=4", cr3_is_free },
	{ "mode.pae_reserved_bits", pae_reserved_bits,
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+2 eax=0xaa ebx=0; "
	  "INVALID_GUEST_STATE(33) reason_high=0x8000 qualification=2 rip=+0", cr3_is_free },
	{ "mode.task_switch", task_switch,
	  "TASK_SWITCH(9) qualification=0x80000030 rip=+0 length=7", has_efer },
	{ "mode.user", user_mode,
	  "CPUID(10) length=2 rip=+10; VMCALL(18) length=3 rip=+12; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0", NULL },
	{ "mode.without_ept", without_ept,
	  "VMCALL(18) length=3 rip=+5 memory=0x42 accessed_dirty=1; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0e error=2 rip=+0 address=0x140000000", NULL },
);
