/* SPDX-License-Identifier: MIT */
/*
 * check-machine: on a running Linux, the loader's `check` as far as the processor
 * tells it, by the loader's own tables. It needs the msr module and the right to
 * read /dev/cpu/0/msr. What the firmware alone knows (memory, MP Services) is not in it.
 *
 * Exit status: 0 Testudo can run, 1 it cannot, 2 it cannot be told.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/uefi/machine_report.h"

#define DEVICE "/dev/cpu/0/msr"

static int device;

static struct cpuid_result cpuid(void *context, u32 leaf, u32 subleaf)
{
	struct cpuid_result r;

	(void)context;
	__cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
	return r;
}

static u64 rdmsr(void *context, u32 msr)
{
	u64 value = 0;

	(void)context;
	if (pread(device, &value, sizeof(value), (off_t)msr) != sizeof(value)) {
		fprintf(stderr, "check-machine: MSR 0x%x cannot be read from " DEVICE ": %s\n", msr, strerror(errno));
		exit(2);
	}
	return value;
}

static void put(void *context, const char *line)
{
	(void)context;
	puts(line);
}

int main(void)
{
	static const struct machine_reader reader = { cpuid, rdmsr, NULL };
	static struct machine machine;
	u32 lacking;

	device = open(DEVICE, O_RDONLY);
	/* Without VMX no MSR is read. */
	if (device < 0 && (cpuid(NULL, 1, 0).ecx >> 5 & 1)) {
		fprintf(stderr, "check-machine: " DEVICE " cannot be opened: %s; cure: sudo modprobe msr, and run this with sudo\n",
			strerror(errno));
		return 2;
	}
	machine_read(&machine, &reader);
	lacking = report_machine(&machine, put, NULL);
	report_verdict(lacking, put, NULL);
	return lacking != 0;
}
