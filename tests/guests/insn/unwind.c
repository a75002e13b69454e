/* SPDX-License-Identifier: MIT */
/*
 * Entries that fail for a reason in memory: VTPR, which no VMWRITE tells of. A
 * hypervisor beneath that does not look there is refused by the processor, and
 * must make it L1's refusal, and nothing else. SDM "VM-Execution Control Fields".
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/vm.h"

#define VTPR 0x80
#define RULE_TPR_THRESHOLD 112

static void enter_with(struct vm *vm, volatile u32 *virtual_apic, u32 vtpr, const char *name, u32 rule)
{
	struct entry_case c = { .name = name, .expected = rule ? ERROR_CONTROLS : ENTERED, .rule = rule };

	virtual_apic[VTPR / 4] = vtpr;
	entry_cases(vm, NULL, &c, 1);
}

void group_unwind(void)
{
	struct vm *vm = vm_create(l2_done);
	u32 *virtual_apic = page_alloc();

	if (!proc_offers(PROC_USE_TPR_SHADOW)) {
		info("unwind: no TPR shadow");
		say("complete");
		return;
	}
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)virtual_apic);
	vmwrite(TPR_THRESHOLD, 4);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	enter_with(vm, virtual_apic, 0x50, "unwind.vtpr_high", 0);
	enter_with(vm, virtual_apic, 0x30, "unwind.vtpr_falls", RULE_TPR_THRESHOLD);
	enter_with(vm, virtual_apic, 0x30, "unwind.vtpr_still_low", RULE_TPR_THRESHOLD);
	enter_with(vm, virtual_apic, 0x40, "unwind.vtpr_at_threshold", 0);
	enter_with(vm, virtual_apic, 0x10, "unwind.vtpr_falls_again", RULE_TPR_THRESHOLD);
	enter_with(vm, virtual_apic, 0xf0, "unwind.vtpr_highest", 0);
	say("complete");
}
