/* SPDX-License-Identifier: MIT */
/*
 * The scenario lists of the multiprocessor guest: each file ends in one
 * SCENARIOS(name, ...), and a row in main.c runs it.
 */
#pragma once

#include "tests/guests/lib/report.h"

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(processor_scenarios);
LIST(exit_scenarios);
LIST(move_scenarios);
LIST(shared_scenarios);
LIST(restart_scenarios);
LIST(init_scenarios);
LIST(blocked_scenarios);
LIST(nmi_scenarios);
LIST(bombard_scenarios);
#undef LIST

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)

bool has_others(void);
