// SPDX-License-Identifier: MIT
/*
 * Processors off and on again through sysfs, as an administrator would.
 *
 * Off: the processor is gone from /proc/cpuinfo, and no thread can be bound to it. On: it is there, and a thread runs on it. Linux starts
 * it with INIT and SIPI each time, and where KVM has a guest it leaves VMX operation there before, and enters it after.
 */
#include "processors.h"

#include <stdio.h>

static int switch_processor(int processor, int on)
{
	char name[80];
	FILE *file;
	int wrong;

	snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%d/online", processor);
	file = fopen(name, "we");
	if (!file)
		return 1;
	wrong = fprintf(file, "%d\n", on) < 0;
	return fclose(file) != 0 || wrong;
}

static int is_online(int processor)
{
	int list[PROCESSORS_MAX], count = processors_list(list);

	for (int i = 0; i < count; i++)
		if (list[i] == processor)
			return 1;
	return 0;
}

/* What is wrong after one way off and back, or NULL. */
static const char *off_and_on(int processor)
{
	if (switch_processor(processor, 0))
		return "did not go offline";
	if (is_online(processor) || processors_run_on(processor) == 0)
		return "is still there though offline";
	if (switch_processor(processor, 1))
		return "did not come back online";
	if (!is_online(processor))
		return "is online but not listed";
	if (processors_run_on(processor) < 0)
		return "is online but runs nothing";
	return NULL;
}

int processors_cycle(const char *who, int times)
{
	int list[PROCESSORS_MAX], count = processors_list(list), wrong = 0;

	for (int time = 0; time < times; time++) {
		for (int i = 1; i < count; i++) {
			const char *why = off_and_on(list[i]);

			if (why)
				printf("%s: processor %d %s\n", who, list[i], why);
			wrong |= why != NULL;
			processors_run_on(list[0]);
		}
	}
	printf("%s: %d of %d processors went offline and online %d times: %s\n", who, count - 1, count, times, wrong ? "WRONG" : "ok");
	return wrong;
}
