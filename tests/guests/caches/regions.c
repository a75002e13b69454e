/* SPDX-License-Identifier: MIT */
/*
 * VMCS regions in memory while nothing has them active: used for another guest, put back to what they
 * were, edited. SDM "Software Use of VMCSs and Related Structures".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SHADOW_INDICATOR (1u << 31)
#define PAGE_AT (4ull << 30)

static void clear(struct vm *vm)
{
	vmclear(vm->vmcs);
	vm->launched = false;
}

static void map(struct vm *vm, u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	*ept_entry(vm->ept, PAGE_AT, 1) = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
}

static const struct step steps[] = {
	{ .kind = STEP_LOAD, .address = PAGE_AT },
	{ .kind = STEP_RDMSR, .operand = IA32_PAT },
	{ .kind = STEP_RDMSR, .operand = IA32_LSTAR },
};

/* Expect: the second guest at the address has nothing of the first: not its tables, bitmaps, controls or launch state. */
static void another_guest(void)
{
	static const u32 depths[] = DEPTHS;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		struct vm *first = script_create(steps, ARRAY_SIZE(steps)), *second;
		u64 region = first->vmcs;

		map(first, 0x11);
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
		vmwrite(TSC_OFFSET, 0x1000);
		script_rounds(first, depths[d], true);
		say("%lx ", script_steps(first)->value);
		clear(first);
		second = script_create(steps, ARRAY_SIZE(steps));
		clear(second);
		memset((void *)(region + 8), 0, PAGE_SIZE - 8);
		second->vmcs = region;
		vmclear(region);
		vmptrld(region);
		vm_write_vmcs(second, l2_follow_script);
		second->gpr[RSI] = (u64)memcpy(page_alloc(), steps, sizeof(steps));
		second->gpr[R14] = ARRAY_SIZE(steps);
		map(second, 0x22);
		say("%lu ", vm_enter(second, true));
		script_rounds(second, 2, true);
		say("%lx; ", script_steps(second)->value);
	}
}

/* Expect: the region as it was is the VMCS as it was, and L2 does its round once more. */
static void put_back(void)
{
	static const u32 depths[] = DEPTHS;
	u8 *saved = page_alloc();

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		struct vm *vm = rounds_create(l2_change_everything);
		u64 counted;

		memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
		vm->gpr[RSI] = (u64)page_alloc();
		vm->tables->gdt[0x48 / 8] = vm->tables->gdt[SELECTOR_CODE64 / 8];
		vm->tables->gdt[0x30 / 8] = 0x77 | 0x82ull << 40;
		rounds(vm, depths[d]);
		clear(vm);
		memcpy(saved, (void *)vm->vmcs, PAGE_SIZE);
		counted = vm->gpr[R15];
		for (u32 again = 0; again < 2; again++) {
			vmptrld(vm->vmcs);
			say("%lx %lx ", vmread(GUEST_FS_BASE), vmread(GUEST_GDTR_LIMIT));
			rounds(vm, 3);
			say("%lx %lx ", vmread(GUEST_FS_BASE), vmread(GUEST_IA32_SYSENTER_CS));
			clear(vm);
			memcpy((void *)vm->vmcs, saved, PAGE_SIZE);
			vm->gpr[R15] = counted;
		}
		say("; ");
	}
}

/* Expect: VMPTRLD, without a current VMCS, looks at the revision of now, and the VMCS is as it was once that is right again. */
static void other_revision(void)
{
	struct vm *vm = rounds_create(l2_cpuid_for_ever);
	u32 *revision = (u32 *)vm->vmcs, right = *revision;

	vmwrite(GUEST_ES_BASE, 0x4440);
	rounds(vm, 10);
	for (u32 i = 0; i < 2; i++) {
		clear(vm);
		*revision = right + 1;
		say("%o ", op_vmptrld((u64)&vm->vmcs, 0));
		*revision = right;
		say("%o ", op_vmptrld((u64)&vm->vmcs, 0));
		say("%lx ", vmread(GUEST_ES_BASE));
		rounds(vm, 10);
	}
}

static bool has_shadowing(void)
{
	return proc2_offers(PROC2_VMCS_SHADOWING);
}

/* Expect: as a shadow VMCS its fields can be written, and as an ordinary one it runs with them. */
static void shadow_for_a_while(void)
{
	struct vm *vm = rounds_create(l2_cpuid_for_ever);

	rounds(vm, 10);
	for (u64 i = 1; i < 4; i++) {
		clear(vm);
		*(u32 *)vm->vmcs |= SHADOW_INDICATOR;
		vmptrld(vm->vmcs);
		vmwrite(GUEST_ES_BASE, i << 12);
		vmwrite(GUEST_FS_BASE, i << 16);
		clear(vm);
		*(u32 *)vm->vmcs &= ~SHADOW_INDICATOR;
		vmptrld(vm->vmcs);
		rounds(vm, 5);
		say("%lx %lx ", vmread(GUEST_ES_BASE), vmread(GUEST_FS_BASE));
	}
}

SCENARIOS(region_scenarios,
	{ "region.another_guest", another_guest, "0x11 2 31 31 31 31 0x22; 0x11 2 31 31 31 31 0x22; 0x11 2 31 31 31 31 0x22; ", NULL },
	{ "region.put_back", put_back, NULL, NULL },
	{ "region.other_revision", other_revision, "VMfailInvalid ok 0x4440 VMfailInvalid ok 0x4440 ", NULL },
	{ "region.shadow_for_a_while", shadow_for_a_while, "0x1000 0x10000 0x2000 0x20000 0x3000 0x30000 ", has_shadowing },
);
