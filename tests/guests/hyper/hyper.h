/* SPDX-License-Identifier: MIT */
/* The scenario lists of the guest hypervisor, one for each file. */
#pragma once

#include "tests/guests/lib/report.h"

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(instruction_scenarios);
LIST(ept_scenarios);
#undef LIST

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)
