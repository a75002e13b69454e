/* SPDX-License-Identifier: MIT */
/*
 * VTPR below the TPR threshold: by MOV to CR8, by the MSR, at VM entry, and by a
 * plain write to the virtual-APIC page, which is no exit and must not become one when
 * a hypervisor beneath enters L2 anew. SDM "TPR Virtualization", "VM Exits Induced by
 * the TPR Threshold".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(lower_then_touch); L2(lower_then_touch_msr); L2(lower_and_raise); L2(nops);

#define VTPR 0x80
#define X2APIC_TPR 0x808
#define PAGES (TEST_ADDRESS + (1 << 20))

static u32 *virtual_apic;

static bool has_tpr_shadow(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW);
}

static bool has_x2apic(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUALIZE_X2APIC_MODE);
}

/* L2 sees its own virtual-APIC page at RSI, and pages that are new to it at RDI. */
static struct vm *create(const u8 *code, u64 to)
{
	struct vm *vm = create_free(code);

	virtual_apic = map_page(vm, TEST_ADDRESS) ? (u32 *)(*ept_entry(vm->ept, TEST_ADDRESS, 1) & ~0xfffull) : NULL;
	for (u32 i = 0; i < 4; i++)
		map_page(vm, PAGES + i * PAGE_SIZE);
	virtual_apic[VTPR / 4] = 0x60;
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)virtual_apic);
	vmwrite(TPR_THRESHOLD, 5);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[RDI] = PAGES;
	vm->gpr[RBX] = to;
	return vm;
}

static void run(struct vm *vm)
{
	step(vm);
	say(" vtpr=%x rdx=%lx rax=%lx; ", virtual_apic[VTPR / 4], vm->gpr[RDX], vm->gpr[RAX]);
}

/* Expect: no exit by the write itself, nor by what comes after; CR8 below the threshold exits, above it does not. */
static void lowered(void)
{
	for (u64 to = 1; to < 8; to++) {
		struct vm *vm = create(l2_lower_then_touch, to);

		run(vm);
		if (vm->basic_reason == REASON_TPR_BELOW_THRESHOLD) {
			vmwrite(TPR_THRESHOLD, 0);
			run(vm);
		}
	}
}

static void lowered_msr(void)
{
	for (u64 to = 0x10; to < 0x70; to += 0x20) {
		struct vm *vm = create(l2_lower_then_touch_msr, to);

		vm_set_secondary(PROC2_VIRTUALIZE_X2APIC_MODE);
		*((u8 *)vm->msr_bitmap + X2APIC_TPR / 8) = 0xfe;
		*((u8 *)vm->msr_bitmap + 2048 + X2APIC_TPR / 8) = 0xfe;
		run(vm);
		if (vm->basic_reason == REASON_TPR_BELOW_THRESHOLD) {
			vmwrite(TPR_THRESHOLD, 0);
			run(vm);
		}
	}
}

/* Expect: the threshold counts as ever once VTPR is above it again. */
static void raised_again(void)
{
	for (u64 to = 3; to < 8; to += 2)
		run(create(l2_lower_and_raise, to));
}

/* Expect: L1 that comes back with VTPR still below is refused. */
static void refused_afterwards(void)
{
	struct vm *vm = create(l2_lower_then_touch, 1);

	vmwrite(TPR_THRESHOLD, 6);
	run(vm);
	if (vm_run(vm))
		vm_say_block(vm);
}

/* Expect: MOV to CR8 with bits that are reserved, or at the wrong privilege, is #GP all the same. */
static void wrong_value(void)
{
	struct vm *vm = create(l2_lower_then_touch, 0x10);

	run(vm);
	if (has_x2apic()) {
		vm = create(l2_lower_then_touch_msr, 0x130);
		vm_set_secondary(PROC2_VIRTUALIZE_X2APIC_MODE);
		*((u8 *)vm->msr_bitmap + X2APIC_TPR / 8) = 0xfe;
		*((u8 *)vm->msr_bitmap + 2048 + X2APIC_TPR / 8) = 0xfe;
		run(vm);
	}
}

SCENARIOS(task_priority_scenarios,
	{ "tpr.lowered", lowered, NULL, has_tpr_shadow },
	{ "tpr.lowered_msr", lowered_msr, NULL, has_x2apic },
	{ "tpr.raised_again", raised_again, NULL, has_tpr_shadow },
	{ "tpr.refused_afterwards", refused_afterwards, NULL, has_tpr_shadow },
	{ "tpr.wrong_value", wrong_value, NULL, has_tpr_shadow },
);
