/* SPDX-License-Identifier: MIT */
/*
 * races: memory that VMX instructions and VM entries read, while other processors
 * write it. A hypervisor beneath must read each thing once, believe none of it, and
 * be there afterwards. With one processor the scenarios run without their writers.
 */
#include "tests/guests/lib/smp.h"
#include "tests/guests/races/races.h"

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	if (!smp_start())
		vmx_prepare();
	info("seed %lx", race_seed());
	scenarios_run(region_scenarios, ARRAY_SIZE(region_scenarios));
	scenarios_run(list_scenarios, ARRAY_SIZE(list_scenarios));
	scenarios_run(ept_scenarios, ARRAY_SIZE(ept_scenarios));
	scenarios_run(operand_scenarios, ARRAY_SIZE(operand_scenarios));
	scenarios_run(pdpte_scenarios, ARRAY_SIZE(pdpte_scenarios));
}
