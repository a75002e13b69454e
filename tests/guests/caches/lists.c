/* SPDX-License-Identifier: MIT */
/*
 * Other structures in L1's memory that change between an exit and the next entry: VMREAD bitmaps and the shadow
 * VMCS, the EPTP list, MSR lists. SDM "Software Access to Related Structures".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SHADOW_INDICATOR (1u << 31)
#define EPTP_SWITCHING BIT(0)
#define PAGE_AT (5ull << 30)

static bool has_shadowing(void)
{
	return proc2_offers(PROC2_VMCS_SHADOWING);
}

static void write_shadow(struct vm *vm, u64 region, u64 value)
{
	vmptrld(region);
	vmwrite(GUEST_ES_BASE, value);
	vmwrite(GUEST_RSP, value + 1);
	vmclear(region);
	vmptrld(vm->vmcs);
}

/* Expect: L2 reads what the shadow VMCS has, and exits for the field whose bit is set. */
static void vmread_bitmap(void)
{
	static const struct step steps[] = {
		{ .kind = STEP_VMREAD, .operand = GUEST_ES_BASE }, { .kind = STEP_VMREAD, .operand = GUEST_RSP },
	};
	struct vm *vm = script_create(steps, 2);
	u8 *bitmap = page_alloc();
	u64 region = vmx_region_alloc();
	static const u32 depths[] = DEPTHS;

	*(u32 *)region |= SHADOW_INDICATOR;
	vmclear(region);
	vm_set_secondary(PROC2_VMCS_SHADOWING);
	vmwrite(VMREAD_BITMAP_ADDRESS, (u64)bitmap);
	vmwrite(VMWRITE_BITMAP_ADDRESS, (u64)memset(page_alloc(), 0xff, PAGE_SIZE));
	vmwrite(VMCS_LINK_POINTER, region);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		write_shadow(vm, region, 0x100 + d * 2);
		script_rounds(vm, depths[d], true);
		say("%lx %lx ", script_steps(vm)[0].value, script_steps(vm)[1].value);
		bitmap[GUEST_RSP / 8] |= 1 << GUEST_RSP % 8;
		script_rounds(vm, 1, true);
		bitmap[GUEST_RSP / 8] = 0;
		write_shadow(vm, region, 0x200 + d * 2);
		script_rounds(vm, 1, true);
		say("%lx %lx; ", script_steps(vm)[0].value, script_steps(vm)[1].value);
	}
}

static bool has_switching(void)
{
	return proc2_offers(PROC2_ENABLE_VM_FUNCTIONS) && rdmsr(IA32_VMX_VMFUNC) & EPTP_SWITCHING;
}

static u64 eptp_with(u64 value)
{
	u64 *page = page_alloc(), root = ept_identity();

	*page = value;
	*ept_entry(root, PAGE_AT, 1) = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	return root | EPTP_WB | EPTP_4_LEVELS;
}

/* Expect: the entry of the list that counts is the one of now. */
static void eptp_list(void)
{
	static const struct step steps[] = {
		{ .kind = STEP_VMFUNC, .operand = 0 }, { .kind = STEP_LOAD, .address = PAGE_AT },
		{ .kind = STEP_VMFUNC, .operand = 1 }, { .kind = STEP_LOAD, .address = PAGE_AT },
	};
	struct vm *vm = script_create(steps, 4);
	u64 *list = page_alloc(), eptp[3] = { eptp_with(0xa), eptp_with(0xb), eptp_with(0xc) };
	static const u32 depths[] = DEPTHS;

	vm_set_secondary(PROC2_ENABLE_VM_FUNCTIONS);
	vmwrite(VM_FUNCTION_CONTROLS, EPTP_SWITCHING);
	vmwrite(EPTP_LIST_ADDRESS, (u64)list);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		for (u32 i = 0; i < 3; i++) {
			list[0] = eptp[i];
			list[1] = eptp[(i + 1) % 3];
			script_rounds(vm, i ? 1 : depths[d], true);
			say("%lx%lx ", script_steps(vm)[1].value, script_steps(vm)[3].value);
		}
	}
}

/* Expect: each entry and exit goes by the lists of now. */
static void msr_lists(void)
{
	static const struct step steps[] = { { .kind = STEP_RDMSR, .operand = IA32_LSTAR } };
	struct vm *vm = script_create(steps, 1);
	struct msr_entry {
		u32 index, reserved;
		u64 value;
	} *entry = page_alloc(), *load = page_alloc(), *store = page_alloc();
	u64 old = rdmsr(IA32_LSTAR);
	static const u32 depths[] = DEPTHS;

	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_EXIT_MSR_LOAD_ADDRESS, (u64)load);
	vmwrite(VM_EXIT_MSR_STORE_ADDRESS, (u64)store);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		script_rounds(vm, depths[d], true);
		for (u32 count = 0; count < 3; count++) {
			entry[0] = (struct msr_entry){ IA32_LSTAR, 0, 0x1000 + count + d * 16 };
			load[0] = (struct msr_entry){ IA32_LSTAR, 0, 0x2000 + count + d * 16 };
			store[0] = (struct msr_entry){ IA32_LSTAR, 0, 0 };
			vmwrite(VM_ENTRY_MSR_LOAD_COUNT, count & 1);
			vmwrite(VM_EXIT_MSR_LOAD_COUNT, count & 1);
			vmwrite(VM_EXIT_MSR_STORE_COUNT, count & 1);
			script_rounds(vm, 1, true);
			say("%lx/%lx/%lx ", script_steps(vm)[0].value, store[0].value, rdmsr(IA32_LSTAR));
			wrmsr(IA32_LSTAR, 0x3000 + count);
		}
		say("; ");
	}
	wrmsr(IA32_LSTAR, old);
}

SCENARIOS(list_scenarios,
	{ "list.vmread_bitmap", vmread_bitmap,
	  "0x100 0x101 23 0x200 0x201; 0x102 0x103 23 0x202 0x203; 0x104 0x105 23 0x204 0x205; ", has_shadowing },
	{ "list.eptp_list", eptp_list, "0xa0xb 0xb0xc 0xc0xa 0xa0xb 0xb0xc 0xc0xa 0xa0xb 0xb0xc 0xc0xa ", has_switching },
	{ "list.msr_lists", msr_lists, NULL, NULL },
);
