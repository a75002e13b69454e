// SPDX-License-Identifier: MIT
/*
 * What L1's init script needs and busybox has not:
 *
 * tool ticks NAME      prints the time-stamp counter: in Bochs, with one processor, instructions since reset; and what the lowest
 *                      hypervisor has counted until now, where one tells: exits, VMREADs, VMWRITEs, VMPTRLDs, VMCLEARs
 * tool processors      how many processors are online, and whether they work; status 0 if they do
 * tool cycle TIMES     turns all processors but the first off and on; status 0 if they come back
 * tool nmi TIMES       sends NMIs from each processor to all others; status 0 if all came, once
 * tool interrupts      prints what Linux counts
 * tool log             looks for complaints in the kernel's log; status 0 if there is none
 * tool l0              prints L0's counters through its CPUID leaves (docs/cpuid.md), those of all processors added up; status 1
 *                      where there is no Testudo beneath
 * tool trace           prints the trace rings of all processors (docs/tracing.md); status 1 where there are none
 * tool end             ends the machine
 *
 * WHO in the environment is who says so, L1 where there is none.
 */
#include "lib/below.h"
#include "lib/l0.h"
#include "lib/processors.h"
#include "machine_end.h"

#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

static int print_l0(void)
{
	static struct l0_counts sums;
	int list[PROCESSORS_MAX], count = processors_list(list);

	for (int i = 0; i < count; i++) {
		if (processors_run_on(list[i]) < 0 || !l0_present()) {
			printf("L0: none%s\n", i ? " on some processor" : "");
			return 1;
		}

		struct l0_version version = l0_version();

		if (i == 0)
			printf("L0: Testudo %u.%u, VMCS shadowing %s, on %d processor%s\n", version.major, version.minor,
			       version.shadowing ? "on" : "off", count, count == 1 ? "" : "s");
		l0_add(&sums);
	}
	for (int i = 0; i < L0_COUNTERS; i++)
		printf("L0: %-28s %llu\n", l0_counter_names[i], sums.counter[i]);
	for (int i = 0; i < L0_REASONS; i++)
		if (sums.from_l1[i] || sums.from_l2[i])
			printf("L0: exit reason %-3d from L1 %llu, from L2 %llu\n", i, sums.from_l1[i], sums.from_l2[i]);
	return 0;
}

static int print_trace(void)
{
	int list[PROCESSORS_MAX], count = processors_list(list), status = 0;

	for (int i = 0; i < count; i++)
		status |= processors_run_on(list[i]) < 0 || l0_trace_print();
	return status;
}

/* The counts come last: to ask for them is work for L0. */
static void print_ticks(const char *name)
{
	static const uint32_t asked[] = { BELOW_EXITS, 10, 11, 12, 13 };

	printf("TICKS %s %llu\n", name, (unsigned long long)__rdtsc());
	if (below_count(BELOW_EXITS) == BELOW_UNKNOWN)
		return;
	printf("COUNTS %s", name);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		uint32_t count = below_count(asked[i]);

		if (count == BELOW_UNKNOWN)
			printf(" -");
		else
			printf(" %u", count);
	}
	printf("\n");
}

static int say_processors(const char *who)
{
	int list[PROCESSORS_MAX];

	printf("%s userspace: %d processors\n", who, processors_list(list));
	fflush(stdout);
	return processors_work(who);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *who = getenv("WHO") ?: "L1";
	int status = 0;

	if (argc == 3 && !strcmp(what, "ticks"))
		print_ticks(argv[2]);
	else if (argc == 3 && !strcmp(what, "cycle"))
		status = processors_cycle(who, atoi(argv[2]));
	else if (argc == 3 && !strcmp(what, "nmi"))
		status = interrupts_nmi(who, atoi(argv[2]));
	else if (argc == 2 && !strcmp(what, "processors"))
		status = say_processors(who);
	else if (argc == 2 && !strcmp(what, "interrupts"))
		interrupts_print(who);
	else if (argc == 2 && !strcmp(what, "log"))
		status = kernel_log_judge(who);
	else if (argc == 2 && !strcmp(what, "l0"))
		status = print_l0();
	else if (argc == 2 && !strcmp(what, "trace"))
		status = print_trace();
	else if (argc == 2 && !strcmp(what, "end"))
		end_machine();
	else
		status = 2;
	return status;
}
