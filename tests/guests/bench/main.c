/* SPDX-License-Identifier: MIT */
/*
 * bench: what nested operations cost, in ticks, on whatever is below: nothing, Testudo or another
 * hypervisor. docs/performance.md tells what each row is.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/report.h"

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("bench, Testudo %s", under_testudo() ? "below" : "not found");
	ticks_explain();
	vmx_prepare();
	vmx_on();
	/* For guests far up, where a round takes long: L1 CPUID and L2 CPUID only. */
	if (machine_option("short", 0)) {
		scenarios_run(exit_rows, 2);
		return;
	}
	scenarios_run(first_rows, first_row_count);
	scenarios_run(exit_rows, exit_row_count);
	scenarios_run(memory_rows, memory_row_count);
	scenarios_run(instruction_rows, instruction_row_count);
	scenarios_run(last_rows, last_row_count);
	vmx_off();
}
