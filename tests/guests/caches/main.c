/* SPDX-License-Identifier: MIT */
/*
 * caches: L1 and L2 change, between one round trip and the next, whatever a hypervisor beneath them might
 * believe to know; bare there is nothing to believe.
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/machine.h"

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("caches, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_on();
	scenarios_run(host_state_scenarios, host_state_scenarios_count);
	scenarios_run(host_field_scenarios, host_field_scenarios_count);
	scenarios_run(entry_scenarios, entry_scenarios_count);
	scenarios_run(field_scenarios, field_scenarios_count);
	scenarios_run(field_write_scenarios, field_write_scenarios_count);
	scenarios_run(control_scenarios, control_scenarios_count);
	scenarios_run(bitmap_scenarios, bitmap_scenarios_count);
	scenarios_run(list_scenarios, list_scenarios_count);
	scenarios_run(translation_scenarios, translation_scenarios_count);
	scenarios_run(region_scenarios, region_scenarios_count);
	vmx_off();
}
