/* SPDX-License-Identifier: MIT */
/* The scenario lists of the guest hypervisor, one for each file. */
#pragma once

#include "tests/guests/lib/report.h"

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(instruction_scenarios);
LIST(vmx_instruction_scenarios);
LIST(io_scenarios);
LIST(msr_scenarios);
LIST(control_register_scenarios);
LIST(ept_scenarios);
LIST(ept_page_scenarios);
LIST(ept_change_scenarios);
LIST(pml_scenarios);
LIST(mode_execute_scenarios);
LIST(spp_scenarios);
LIST(event_scenarios);
LIST(vectoring_scenarios);
LIST(window_scenarios);
LIST(interrupt_scenarios);
LIST(apic_scenarios);
LIST(virtual_apic_scenarios);
LIST(extension_scenarios);
LIST(vm_scenarios);
LIST(vmcs_model_scenarios);
LIST(limit_scenarios);
LIST(mode_scenarios);
LIST(virtual_8086_scenarios);
LIST(miss_scenarios);
LIST(corner_scenarios);
LIST(host_state_scenarios);
LIST(vm_function_scenarios);
LIST(virtualization_exception_scenarios);
LIST(vmcs_shadowing_scenarios);
LIST(shadow_vmcs_scenarios);
LIST(protection_scenarios);
LIST(shadow_stack_scenarios);
#undef LIST

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)

/* Linear and guest-physical addresses that no EPT12 maps at first. */
#define TEST_ADDRESS (5ull << 30)

struct vm;

/*
 * One interrupt by the APIC's timer when L2 has been entered: in twice the time
 * that a first run took, which is the slowest. Beneath several hypervisors that is
 * long. L2 starts anew, with the flags that it has. (interrupts.c)
 */
void start_timer_behind_entry(struct vm *vm, u8 vector);
