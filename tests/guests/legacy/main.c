/* SPDX-License-Identifier: MIT */
/*
 * legacy: VMX from outside 64-bit mode. 32-bit hypervisors with their paging modes,
 * what their instructions answer, where their operands may lie, the L2s that
 * they run; and the modes that have no VMX instructions at all.
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/machine.h"

static const struct scenario groups[] = {
	{ "group.instructions", group_instructions, "complete", NULL },
	{ "group.operands", group_operands, "complete", NULL },
	{ "group.entries", group_entries, "complete", NULL },
	{ "group.other_modes", group_other_modes, "complete", NULL },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("legacy, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_region_reserve(0);
	scenarios_run(groups, ARRAY_SIZE(groups));
}
