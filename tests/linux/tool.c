// SPDX-License-Identifier: MIT
/*
 * What L1's init script needs and busybox has not:
 *
 * tool ticks NAME      prints the time-stamp counter: in Bochs, with one processor, instructions since reset
 * tool processors      how many processors are online, and whether they work; status 0 if they do
 * tool cycle TIMES     turns all processors but the first off and on; status 0 if they come back
 * tool nmi TIMES       sends NMIs from each processor to all others; status 0 if all came, once
 * tool interrupts      prints what Linux counts
 * tool log             looks for complaints in the kernel's log; status 0 if there is none
 * tool l0              prints L0's counters through its CPUID leaves (docs/cpuid.md), those of all processors added up; status 1
 *                      where there is no Testudo beneath
 * tool end             ends the machine
 */
#include "lib/processors.h"
#include "machine_end.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum { LEAF_SIGNATURE = 0x40000000, LEAF_VERSION, LEAF_COUNTER, LEAF_EXITS };

struct registers {
	uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct registers r;

	__cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
	return r;
}

static const char *const counter_names[] = {
	"exits",
	"exits from L1",
	"exits from L2",
	"exits reflected to L1",
	"vmcs02 builds",
	"EPT02 fills",
	"VMREAD exits",
	"VMWRITE exits",
	"VMLAUNCH and VMRESUME exits",
	"VM entries refused",
	"VMREADs by L0",
	"VMWRITEs by L0",
	"VMPTRLDs by L0",
	"VMCLEARs by L0",
};

enum { COUNTERS = sizeof counter_names / sizeof counter_names[0], REASONS = 128 };

struct sums {
	unsigned long long counter[COUNTERS], from_l1[REASONS], from_l2[REASONS];
};

/* Each processor tells of itself only. */
static void add_processor(struct sums *sums, uint32_t counters, uint32_t reasons)
{
	struct registers r;

	for (uint32_t i = 0; i < counters && i < COUNTERS; i++) {
		r = cpuid(LEAF_COUNTER, i);
		sums->counter[i] += (unsigned long long)r.d << 32 | r.a;
	}
	for (uint32_t i = 0; i < reasons && i < REASONS; i++) {
		r = cpuid(LEAF_EXITS, i);
		sums->from_l1[i] += (unsigned long long)r.b << 32 | r.a;
		sums->from_l2[i] += (unsigned long long)r.d << 32 | r.c;
	}
}

static int has_testudo(void)
{
	struct registers r = cpuid(LEAF_SIGNATURE, 0);
	char signature[13] = "";

	memcpy(signature, &r.b, 4);
	memcpy(signature + 4, &r.c, 4);
	memcpy(signature + 8, &r.d, 4);
	return !strcmp(signature, "Testudo L0  ");
}

static int print_l0(void)
{
	static struct sums sums;
	int list[PROCESSORS_MAX], count = processors_list(list);

	for (int i = 0; i < count; i++) {
		if (processors_run_on(list[i]) < 0 || !has_testudo()) {
			printf("L0: none%s\n", i ? " on some processor" : "");
			return 1;
		}

		struct registers version = cpuid(LEAF_VERSION, 0);

		if (i == 0)
			printf("L0: Testudo %u.%u, VMCS shadowing %s, on %d processor%s\n", version.a >> 16, version.a & 0xffff,
			       version.b & 1 ? "on" : "off", count, count == 1 ? "" : "s");
		add_processor(&sums, version.c, version.d);
	}
	for (int i = 0; i < COUNTERS; i++)
		printf("L0: %-28s %llu\n", counter_names[i], sums.counter[i]);
	for (int i = 0; i < REASONS; i++)
		if (sums.from_l1[i] || sums.from_l2[i])
			printf("L0: exit reason %-3d from L1 %llu, from L2 %llu\n", i, sums.from_l1[i], sums.from_l2[i]);
	return 0;
}

static int say_processors(void)
{
	int list[PROCESSORS_MAX];

	printf("L1 userspace: %d processors\n", processors_list(list));
	fflush(stdout);
	return processors_work("L1");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int status = 0;

	if (argc == 3 && !strcmp(what, "ticks"))
		printf("TICKS %s %llu\n", argv[2], (unsigned long long)__rdtsc());
	else if (argc == 3 && !strcmp(what, "cycle"))
		status = processors_cycle("L1", atoi(argv[2]));
	else if (argc == 3 && !strcmp(what, "nmi"))
		status = interrupts_nmi("L1", atoi(argv[2]));
	else if (argc == 2 && !strcmp(what, "processors"))
		status = say_processors();
	else if (argc == 2 && !strcmp(what, "interrupts"))
		interrupts_print("L1");
	else if (argc == 2 && !strcmp(what, "log"))
		status = kernel_log_judge("L1");
	else if (argc == 2 && !strcmp(what, "l0"))
		status = print_l0();
	else if (argc == 2 && !strcmp(what, "end"))
		end_machine();
	else
		status = 2;
	return status;
}
