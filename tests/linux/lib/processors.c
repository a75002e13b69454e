// SPDX-License-Identifier: MIT
/*
 * Which processors are online, and running on a chosen one.
 */
#include "processors.h"

#include <sched.h>
#include <stdio.h>

int processors_list(int list[PROCESSORS_MAX])
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096];
	int count = 0, number;

	if (!file)
		return 0;
	while (count < PROCESSORS_MAX && fgets(line, sizeof line, file))
		if (sscanf(line, "processor : %d", &number) == 1)
			list[count++] = number;
	fclose(file);
	return count;
}

int processors_run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		return -1;
	return sched_getcpu() == processor ? 0 : -1;
}
