/* SPDX-License-Identifier: MIT */
/*
 * Exit 34: SDM "Loading MSRs". The qualification is the number of the entry
 * that failed, and L1 goes on with its own state.
 */
#include "tests/guests/insn/entry.h"
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define NO_SUCH_MSR 0x4000ffff
#define RULE_MSR_LOAD 4

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

static const struct {
	const char *name;
	struct msr_entry entries[2];
	const char *expected;
} cases[] = {
	{ "msr_load.fs_base", { { IA32_FS_BASE, 0, 0 } }, EXIT_MSR(1) },
	{ "msr_load.gs_base", { { IA32_GS_BASE, 0, 0 } }, EXIT_MSR(1) },
	{ "msr_load.x2apic", { { 0x808, 0, 0 } }, EXIT_MSR(1) },
	{ "msr_load.reserved_bits", { { IA32_SYSENTER_CS, 1, 0 } }, EXIT_MSR(1) },
	{ "msr_load.non_canonical", { { IA32_SYSENTER_EIP, 0, NON_CANONICAL } }, EXIT_MSR(1) },
	{ "msr_load.pat_reserved_type", { { IA32_PAT, 0, 2 } }, EXIT_MSR(1) },
	{ "msr_load.no_such_msr", { { NO_SUCH_MSR, 0, 0 } }, EXIT_MSR(1) },
	{ "msr_load.second_fails", { { IA32_STAR, 0, 0 }, { IA32_FS_BASE, 0, 0 } }, EXIT_MSR(2) },
	{ "msr_load.good", { { IA32_STAR, 0, 0 }, { IA32_LSTAR, 0, 0x1000 } }, ENTERED },
};

/* Emulators may be set to let unknown MSRs pass; then a list passes, too. */
static u32 op_write_no_such_msr(u64 value, u64 unused)
{
	(void)unused;
	wrmsr(NO_SUCH_MSR, value);
	return OUTCOME_OK;
}

void group_entry_msr(void)
{
	struct vm *vm = vm_create(l2_done);
	struct msr_entry *list = page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 count = cases[i].entries[1].index ? 2 : 1;
		struct entry_case c = { .name = cases[i].name, .expected = cases[i].expected };

		if (cases[i].entries[0].index == NO_SUCH_MSR && attempt(op_write_no_such_msr, 0, 0) == OUTCOME_OK)
			c.expected = ENTERED;
		c.rule = c.expected[1] == 'x' ? RULE_MSR_LOAD : 0; /* EXIT_MSR() or ENTERED */
		memcpy(list, cases[i].entries, sizeof(cases[i].entries));
		vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)list);
		vmwrite(VM_ENTRY_MSR_LOAD_COUNT, count);
		entry_cases(vm, NULL, &c, 1);
	}
	say("complete");
}
