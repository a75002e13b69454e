/* SPDX-License-Identifier: MIT */
/* What a processor has counted, and which VM entries of L1's it refused. Pure. */
#pragma once

#include "monitor/out.h"
#include "vmx/nested/refusal.h"

#define SHOW_REASONS 80		/* COUNTED_EXIT_REASONS */

struct exit_counts {
	/* By reason; the last one is of all that are not known. `kept` are those of L2's after which L2 went on. */
	u64 l1[SHOW_REASONS], l2[SHOW_REASONS], kept[SHOW_REASONS];
	u64 ept02_fills, refusals;
};

/* Both return false: print no more. */
bool show_exits(struct monitor_out *out, const struct exit_counts *counts);
bool show_refusals(struct monitor_out *out, const struct refusal_log *log);
