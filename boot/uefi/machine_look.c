/* SPDX-License-Identifier: MIT */
/*
 * Lets machine_check.c look at the real processor, and prints what it found.
 */
#include "boot/uefi/machine_look.h"

#include "boot/uefi/output.h"
#include "boot/uefi/ports.h"

static struct cpuid_result cpuid(void *context, u32 leaf, u32 subleaf)
{
	u32 r[4];

	(void)context;
	read_cpuid(leaf, subleaf, r);
	return (struct cpuid_result){ r[0], r[1], r[2], r[3] };
}

static u64 rdmsr(void *context, u32 msr)
{
	(void)context;
	return read_msr(msr);
}

void look_at_processor(struct machine *machine)
{
	static const struct machine_reader reader = { cpuid, rdmsr, NULL };

	machine_read(machine, &reader);
	machine->cr4 = read_cr4();
}

void look_at_machine(struct loader *loader)
{
	look_at_processor(&loader->machine);
	machine_check(&loader->machine, &loader->faults);
}

void complain_of_machine(const struct loader *loader)
{
	complain("Testudo cannot run on this machine. It lacks:");
	for (u32 i = 0; i < loader->faults.count; i++) {
		const struct machine_fault *fault = &loader->faults.fault[i];

		complain("  %s: %s; cure: %s", fault->what, fault->cause, fault->cure);
	}
}
