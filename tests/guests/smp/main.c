/* SPDX-License-Identifier: MIT */
/*
 * smp: a guest hypervisor on all processors of the machine. Scenarios run on
 * the boot processor and ask the others; results are the same whatever the
 * number of processors, or the scenario wants more than one. Results that come
 * twice are those of the two modes of the APIC, xAPIC first.
 */
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/smp.h"

#define LIST(name, both_modes) { name, &name##_count, both_modes }
static const struct scenario_list lists[] = {
	LIST(processor_scenarios, true), LIST(exit_scenarios, false), LIST(move_scenarios, false),
	LIST(shared_scenarios, true),    LIST(restart_scenarios, true),
	LIST(init_scenarios, true),      LIST(blocked_scenarios, true), LIST(nmi_scenarios, true),
	LIST(bombard_scenarios, true),
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
	smp_start();
	lists_run(lists, ARRAY_SIZE(lists));
}
