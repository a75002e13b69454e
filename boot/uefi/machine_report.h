/* SPDX-License-Identifier: MIT */
/*
 * What was found on a machine, in lines for people: the processor, each needed
 * and each optional capability, the sum. For the loader's `check` and for the
 * same on a running Linux (tools/check-machine). Pure.
 */
#pragma once

#include "boot/uefi/machine_check.h"

#define REPORT_LINE_SIZE 400

typedef void report_line(void *context, const char *line);

/* "  found    WHAT: PURPOSE", or MISSING, with cause and cure, or unknown. */
void report_finding(const struct machine_finding *finding, report_line *line, void *context);

/* Returns how many of the needed ones are not found. */
u32 report_machine(const struct machine *machine, report_line *line, void *context);

/* How a report ends: the verdict on that number. */
void report_verdict(u32 lacking, report_line *line, void *context);
