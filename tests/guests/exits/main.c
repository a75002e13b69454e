/* SPDX-License-Identifier: MIT */
/*
 * exits: every field of an exit, for every reason that a guest can bring about.
 * Where `hyper` says the few fields that a scenario is about, this one says all
 * that the SDM defines, in one form.
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/vm.h"

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("exits, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_on();
	scenarios_run(instruction_scenarios, instruction_scenarios_count);
	scenarios_run(register_scenarios, register_scenarios_count);
	scenarios_run(string_io_scenarios, string_io_scenarios_count);
	scenarios_run(memory_scenarios, memory_scenarios_count);
	scenarios_run(apic_scenarios, apic_scenarios_count);
	scenarios_run(carried_out_scenarios, carried_out_scenarios_count);
	scenarios_run(debug_scenarios, debug_scenarios_count);
	scenarios_run(fault_scenarios, fault_scenarios_count);
	scenarios_run(unblocking_scenarios, unblocking_scenarios_count);
	scenarios_run(trap_flag_scenarios, trap_flag_scenarios_count);
	scenarios_run(task_scenarios, task_scenarios_count);
	scenarios_run(priority_scenarios, priority_scenarios_count);
	scenarios_run(state_scenarios, state_scenarios_count);
	scenarios_run(task_priority_scenarios, task_priority_scenarios_count);
	vmx_off();
}
