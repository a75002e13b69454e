// SPDX-License-Identifier: MIT
/*
 * Interrupts as Linux counts them, and NMIs that it sends on request.
 *
 * The kernel's "show backtrace of all active CPUs" (SysRq l) sends one NMI to each other processor and waits until each has answered,
 * so the counts are exact. Nothing else makes NMIs here: the watchdog is off.
 */
#include "processors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns of one row, as many as processors are online; returns how many there were. */
static int read_row(const char *name, unsigned long row[PROCESSORS_MAX])
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[4096];
	int count = 0;

	while (file && fgets(line, sizeof line, file)) {
		char *at = line + strspn(line, " "), *end;

		if (strncmp(at, name, strlen(name)) || at[strlen(name)] != ':')
			continue;
		for (at += strlen(name) + 1; count < PROCESSORS_MAX; at = end) {
			row[count] = strtoul(at, &end, 10);
			if (end == at)
				break;
			count++;
		}
		break;
	}
	if (file)
		fclose(file);
	return count;
}

void interrupts_print(const char *who)
{
	static const char *const names[] = { "NMI", "LOC", "RES", "CAL", "TLB" };
	unsigned long row[PROCESSORS_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int count = read_row(names[i], row);

		printf("%s: interrupts %s", who, names[i]);
		for (int k = 0; k < count; k++)
			printf(" %lu", row[k]);
		putchar('\n');
	}
}

static int send_from(int processor)
{
	FILE *file;

	if (processors_run_on(processor) < 0)
		return 1;
	file = fopen("/proc/sysrq-trigger", "we");
	if (!file)
		return 1;

	int wrong = fputs("l", file) < 0;

	return fclose(file) != 0 || wrong;
}

int interrupts_nmi(const char *who, int times)
{
	unsigned long before[PROCESSORS_MAX], after[PROCESSORS_MAX], sent;
	int list[PROCESSORS_MAX], count = processors_list(list), wrong = 0;

	wrong |= read_row("NMI", before) != count;
	for (int time = 0; time < times; time++)
		for (int i = 0; i < count; i++)
			wrong |= send_from(list[i]);
	wrong |= read_row("NMI", after) != count;
	sent = (unsigned long)times * (unsigned long)(count - 1);
	printf("%s: NMIs sent to each processor %lu, came", who, sent);
	for (int i = 0; i < count; i++) {
		printf(" %lu", after[i] - before[i]);
		wrong |= after[i] - before[i] != sent;
	}
	printf(": %s\n", wrong ? "WRONG" : "ok");
	return wrong;
}
