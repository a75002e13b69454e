/* SPDX-License-Identifier: MIT */
/*
 * storm: events at all moments. Processors that run L2s take NMIs, interrupts,
 * INITs and SIPIs from others, or from themselves, and count them; what was
 * sent and what was taken must agree.
 */
#include "tests/guests/storm/storm.h"

#define LIST(name) { name, &name##_count, true }
static const struct scenario_list lists[] = {
	LIST(nmi_storms), LIST(interrupt_storms), LIST(flood_storms),
};
#undef LIST

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("storm, seed %u, Testudo %s", machine_seed(), under_testudo() ? "below" : "not found");
	smp_start();
	lists_run(lists, ARRAY_SIZE(lists));
}
