/* SPDX-License-Identifier: MIT */
/*
 * smp: a guest hypervisor on all processors of the machine. Scenarios run on
 * the boot processor and ask the others; results are the same whatever the
 * number of processors, or the scenario wants more than one. Results that come
 * twice are those of the two modes of the APIC, xAPIC first.
 */
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/smp.h"

struct list {
	const struct scenario *scenarios;
	const u64 *count;
	bool both_modes; /* sends interrupts: once more in x2APIC mode */
};

#define LIST(name, both_modes) { name, &name##_count, both_modes }
static const struct list lists[] = {
	LIST(processor_scenarios, true), LIST(exit_scenarios, false), LIST(move_scenarios, false),
	LIST(shared_scenarios, true),    LIST(restart_scenarios, true),
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
	info("the APIC's mode is %s", apic_is_x2apic() ? "x2APIC" : "xAPIC");
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		scenarios_run(lists[i].scenarios, *lists[i].count);
	if (apic_is_x2apic() || !apic_has_x2apic())
		return;
	all_enter_x2apic();
	info("the APIC's mode is x2APIC");
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].both_modes)
			scenarios_run(lists[i].scenarios, *lists[i].count);
}
