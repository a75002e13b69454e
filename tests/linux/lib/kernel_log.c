// SPDX-License-Identifier: MIT
/*
 * What the kernel says when an interrupt was lost, a processor hangs, or its clock goes wrong: none of it may be in its log.
 */
#include "processors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

enum { READ_ALL = 3, SIZE = 10 }; /* of klogctl */

static const char *const complaints[] = {
	"not responding", "stuck", "failed to boot", "rcu_preempt self-detected", "detected stalls", "detected expedited stalls",
	"soft lockup", "hard LOCKUP", "blocked for more than", "BUG:", "WARNING:", "No irq handler for vector", "spurious", " unstable",
	"TSC ADJUST", "TSC warp", "cpu MSR mismatch", "VMX disabled", "inconsistent",
};

static const char *find_complaint(const char *line)
{
	for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++)
		if (strstr(line, complaints[i]))
			return complaints[i];
	return NULL;
}

int kernel_log_judge(const char *who)
{
	int size = klogctl(SIZE, NULL, 0), wrong = 0, lines = 0;
	char *text = size > 0 ? malloc((size_t)size + 1) : NULL;
	int length = text ? klogctl(READ_ALL, text, size) : -1;

	if (length < 0) {
		printf("%s: the kernel's log cannot be read\n", who);
		return 1;
	}
	text[length] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		lines++;
		if (find_complaint(line)) {
			printf("%s: kernel: %s\n", who, line);
			wrong = 1;
		}
	}
	printf("%s: kernel log of %d lines: %s\n", who, lines, wrong ? "WRONG" : "ok");
	free(text);
	return wrong;
}
