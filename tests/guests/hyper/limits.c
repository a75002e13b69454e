/* SPDX-License-Identifier: MIT */
/*
 * As much as a VMCS can hold: MSR lists of 512 entries, four CR3 targets, and
 * every field at the border of what is allowed. SDM "Checks on VMX Controls",
 * "Loading MSRs".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define LIST_ENTRIES 512 /* what IA32_VMX_MISC recommends at least */
#define READ_HIGH 1024
#define CANONICAL_LOW 0x00007fffffffffffull
#define CANONICAL_HIGH 0xffff800000000000ull

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

/* A list that begins in the middle of a page: 16 bytes are all the alignment there is. */
static struct msr_entry *list_alloc(void)
{
	return (struct msr_entry *)((u64)pages_alloc(3, PAGE_SIZE) + PAGE_SIZE / 2 + 16);
}

static void fill(struct msr_entry *list, u64 base)
{
	static const u32 msrs[] = { IA32_LSTAR, IA32_CSTAR, IA32_STAR, IA32_KERNEL_GS_BASE };

	for (u32 i = 0; i < LIST_ENTRIES; i++)
		list[i] = (struct msr_entry){ msrs[i % ARRAY_SIZE(msrs)], 0, base + i };
}

static void set_lists(struct msr_entry *entry, struct msr_entry *store, struct msr_entry *load, u32 count)
{
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, count);
	vmwrite(VM_EXIT_MSR_STORE_ADDRESS, (u64)store);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, count);
	vmwrite(VM_EXIT_MSR_LOAD_ADDRESS, (u64)load);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, count);
}

/* Expect: in order, so that the last entry for each MSR wins; every entry is stored. */
static void full_lists(void)
{
	struct vm *vm = vm_create(l2_rdmsr_rdmsr);
	struct msr_entry *entry = list_alloc(), *store = list_alloc(), *load = list_alloc();
	u64 star = rdmsr(IA32_STAR);
	u32 wrong = 0;

	memset((u8 *)vm->msr_bitmap + READ_HIGH, 0, 0x40);
	fill(entry, 0x10000);
	fill(store, 0);
	fill(load, 0x30000);
	set_lists(entry, store, load, LIST_ENTRIES);
	vm->gpr[RCX] = IA32_LSTAR;
	vm->gpr[RBX] = IA32_KERNEL_GS_BASE;
	vm_step(vm);
	for (u32 i = 0; i < LIST_ENTRIES; i++)
		wrong += store[i].value != 0x10000 + LIST_ENTRIES - 4 + i % 4;
	say(" %lx %lx stored wrong=%u mine %lx %lx %lx %lx; ", vm->gpr[RSI], vm->gpr[RAX], wrong, rdmsr(IA32_LSTAR),
	    rdmsr(IA32_CSTAR), rdmsr(IA32_STAR), rdmsr(IA32_KERNEL_GS_BASE));
	vm_restart(vm, l2_nops);
	store[LIST_ENTRIES - 1].value = 0;
	set_lists(entry, store, load, 0);
	vm_step(vm);
	say(" stored %lx", store[LIST_ENTRIES - 1].value);
	wrmsr(IA32_STAR, star);
}

/* Expect: the last of 512 entries is the one that fails, and L1 is told its number. */
static void last_entry_fails(void)
{
	struct vm *vm = vm_create(l2_nops);
	struct msr_entry *entry = list_alloc(), *unused = list_alloc();

	fill(entry, 0x10000);
	entry[LIST_ENTRIES - 1].index = IA32_FS_BASE;
	set_lists(entry, unused, unused, LIST_ENTRIES);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
	vm_step(vm);
	entry[LIST_ENTRIES - 1].index = IA32_LSTAR;
	say("; ");
	vm_step(vm);
}

static u32 cr3_targets(void)
{
	return rdmsr(IA32_VMX_MISC) >> 16 & 0x1ff;
}

static bool has_four_targets(void)
{
	return cr3_targets() >= 4;
}

/* Expect: a value among the first CR3_TARGET_COUNT does not exit, any other does. */
static void four_cr3_targets(void)
{
	struct vm *vm = vm_create(l2_cr3);

	for (u32 i = 0; i < 4; i++)
		vmwrite(CR3_TARGET_VALUE_0 + i * 2, i == 3 ? vm->page_table : 0x1000ull * i);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_STORE_EXITING);
	for (u32 count = 4; count >= 3; count--) {
		vmwrite(CR3_TARGET_COUNT, count);
		vm_restart(vm, l2_cr3);
		vm->gpr[RAX] = vm->page_table;
		vm->gpr[R9] = vm->page_table;
		vm_step(vm);
		say(count > 3 ? "; " : "");
	}
	vmwrite(CR3_TARGET_COUNT, 5);
	vm_restart(vm, l2_cr3);
	say("; ");
	vm_run(vm);
}

/* --- borders -------------------------------------------------------------- */

static const struct {
	enum vmcs_field field;
	u64 value;
} borders[] = {
	{ VIRTUAL_PROCESSOR_IDENTIFIER, 0xffff },
	{ TSC_OFFSET, ~0ull },
	{ EXCEPTION_BITMAP, 0xffffffff },
	{ PAGE_FAULT_ERROR_CODE_MASK, 0xffffffff },
	{ PAGE_FAULT_ERROR_CODE_MATCH, 0xffffffff },
	{ CR0_GUEST_HOST_MASK, ~0ull },
	{ CR4_GUEST_HOST_MASK, ~0ull },
	{ CR0_READ_SHADOW, ~0ull },
	{ CR4_READ_SHADOW, ~0ull },
	{ VM_ENTRY_INSTRUCTION_LENGTH, 0xffffffff },
	{ VM_ENTRY_EXCEPTION_ERROR_CODE, 0xffffffff },
	{ VM_ENTRY_INTERRUPTION_INFORMATION, 0x7fffffff },
	{ VMX_PREEMPTION_TIMER_VALUE, 0xffffffff },
	{ GUEST_DS_BASE, 0xffffffff },
	{ GUEST_DS_LIMIT, 0xfff },
	{ GUEST_FS_BASE, CANONICAL_LOW },
	{ GUEST_GS_BASE, CANONICAL_HIGH },
	{ GUEST_GS_SELECTOR, 0xfffc },
	{ GUEST_TR_SELECTOR, 0xfff8 },
	{ GUEST_TR_LIMIT, 0xfffff },
	{ GUEST_LDTR_SELECTOR, 0xfff8 },
	{ GUEST_LDTR_ACCESS_RIGHTS, 0x82 },
	{ GUEST_LDTR_BASE, CANONICAL_HIGH },
	{ GUEST_LDTR_LIMIT, 0 },
	{ GUEST_GDTR_BASE, CANONICAL_HIGH },
	{ GUEST_GDTR_LIMIT, 0xffff },
	{ GUEST_IDTR_BASE, CANONICAL_LOW },
	{ GUEST_IDTR_LIMIT, 0 },
	{ GUEST_RSP, ~0ull },
	{ GUEST_RFLAGS, 0x244cd7 },
	{ GUEST_IA32_SYSENTER_CS, 0xffffffff },
	{ GUEST_IA32_SYSENTER_ESP, CANONICAL_LOW },
	{ GUEST_IA32_SYSENTER_EIP, CANONICAL_HIGH },
	{ HOST_FS_BASE, CANONICAL_HIGH },
	{ HOST_GS_BASE, CANONICAL_LOW },
	{ HOST_IA32_SYSENTER_CS, 0xffffffff },
	{ HOST_IA32_SYSENTER_ESP, CANONICAL_HIGH },
	{ HOST_IA32_SYSENTER_EIP, CANONICAL_LOW },
};

static u32 borders_kept(void)
{
	u32 kept = 0;

	for (u32 i = 0; i < ARRAY_SIZE(borders); i++) {
		if (vmread(borders[i].field) == borders[i].value)
			kept++;
		else
			say("%x is %lx; ", (u32)borders[i].field, vmread(borders[i].field));
	}
	return kept;
}

/* Code at the last page below the canonical hole, which L2's tables map to real code. */
static void code_at_border(struct vm *vm)
{
	u64 page = (u64)page_alloc();

	memcpy((void *)(page + PAGE_SIZE - 6), l2_nops, 6);
	*paging_entry(vm->page_table, CANONICAL_LOW & ~0xfffull, 1, PTE_P | PTE_W) = page | PTE_P | PTE_W;
	vmwrite(GUEST_RIP, CANONICAL_LOW - 5);
	vm->code = CANONICAL_LOW - 5;
}

/* Expect: the entry succeeds, and nothing of it is lost, neither by the exit nor by VMCLEAR. */
static void all_at_borders(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
	if (proc2_offers(PROC2_ENABLE_VPID))
		vm_set_secondary(PROC2_ENABLE_VPID);
	for (u32 i = 0; i < ARRAY_SIZE(borders); i++)
		vmwrite(borders[i].field, borders[i].value);
	code_at_border(vm);
	for (u32 i = 0; i < 2; i++) {
		vm_step(vm);
		say("; ");
		say("%u of %u; ", borders_kept(), (u32)ARRAY_SIZE(borders));
		vmclear(vm->vmcs);
		vm->launched = false;
		vmptrld(vm->vmcs);
		vmwrite(GUEST_RIP, vm->code);
	}
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, 0);
}

SCENARIOS(limit_scenarios,
	{ "limits.full_msr_lists", full_lists,
	  "VMCALL(18) length=3 rip=+10 0x101fc 0x101ff stored wrong=0 mine 0x301fc 0x301fd 0x301fe 0x301ff; "
	  "VMCALL(18) length=3 rip=+3 stored 0", NULL },
	{ "limits.last_msr_fails", last_entry_fails,
	  "MSR_LOADING(34) reason_high=0x8000 qualification=0x200 rip=+0; VMCALL(18) length=3 rip=+3", NULL },
	{ "limits.cr3_targets", four_cr3_targets,
	  "VMCALL(18) length=3 rip=+10; CR_ACCESS(28) qualification=3 length=3 rip=+3; entry: VMfailValid 7", has_four_targets },
	{ "limits.borders", all_at_borders,
	  "VMCALL(18) length=3 rip=+3; 38 of 38; VMCALL(18) length=3 rip=+3; 38 of 38; ", NULL },
);
