/* SPDX-License-Identifier: MIT */
/*
 * hyper: a complete small guest hypervisor. It runs its own L2 through one
 * scenario after another and says what it saw of each exit.
 */
#include "tests/guests/hyper/hyper.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/vm.h"

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("hyper, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_on();
	scenarios_run(instruction_scenarios, instruction_scenarios_count);
	scenarios_run(vmx_instruction_scenarios, vmx_instruction_scenarios_count);
	scenarios_run(io_scenarios, io_scenarios_count);
	scenarios_run(msr_scenarios, msr_scenarios_count);
	scenarios_run(control_register_scenarios, control_register_scenarios_count);
	scenarios_run(ept_scenarios, ept_scenarios_count);
	scenarios_run(ept_page_scenarios, ept_page_scenarios_count);
	scenarios_run(ept_change_scenarios, ept_change_scenarios_count);
	scenarios_run(pml_scenarios, pml_scenarios_count);
	scenarios_run(mode_execute_scenarios, mode_execute_scenarios_count);
	scenarios_run(spp_scenarios, spp_scenarios_count);
	scenarios_run(event_scenarios, event_scenarios_count);
	scenarios_run(vectoring_scenarios, vectoring_scenarios_count);
	scenarios_run(window_scenarios, window_scenarios_count);
	scenarios_run(interrupt_scenarios, interrupt_scenarios_count);
	scenarios_run(apic_scenarios, apic_scenarios_count);
	scenarios_run(virtual_apic_scenarios, virtual_apic_scenarios_count);
	scenarios_run(extension_scenarios, extension_scenarios_count);
	scenarios_run(vm_scenarios, vm_scenarios_count);
	scenarios_run(vmcs_model_scenarios, vmcs_model_scenarios_count);
	scenarios_run(limit_scenarios, limit_scenarios_count);
	scenarios_run(mode_scenarios, mode_scenarios_count);
	scenarios_run(virtual_8086_scenarios, virtual_8086_scenarios_count);
	scenarios_run(miss_scenarios, miss_scenarios_count);
	scenarios_run(corner_scenarios, corner_scenarios_count);
	scenarios_run(host_state_scenarios, host_state_scenarios_count);
	scenarios_run(vm_function_scenarios, vm_function_scenarios_count);
	scenarios_run(virtualization_exception_scenarios, virtualization_exception_scenarios_count);
	scenarios_run(vmcs_shadowing_scenarios, vmcs_shadowing_scenarios_count);
	scenarios_run(shadow_vmcs_scenarios, shadow_vmcs_scenarios_count);
	scenarios_run(protection_scenarios, protection_scenarios_count);
	scenarios_run(shadow_stack_scenarios, shadow_stack_scenarios_count);
	vmx_off();
}
