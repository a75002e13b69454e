/* SPDX-License-Identifier: MIT */
/*
 * smp: a guest hypervisor on all processors of the machine. Scenarios run on
 * the boot processor and ask the others; results are the same whatever the
 * number of processors, or the scenario wants more than one.
 */
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/smp.h"

struct list {
	const struct scenario *scenarios;
	const u64 *count;
};

#define LIST(name) { name, &name##_count }
static const struct list lists[] = {
	LIST(processor_scenarios),
};
#undef LIST

bool has_others(void)
{
	return cpu_count() > 1;
}

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("smp, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	smp_start();
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		scenarios_run(lists[i].scenarios, *lists[i].count);
}
