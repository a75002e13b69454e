/* SPDX-License-Identifier: MIT */
/*
 * How often a line is said that a guest can bring about as often as it likes: each keeps
 * the UART busy for milliseconds, and whoever prints meanwhile waits. All processors share
 * a budget; nothing ever fills it up again. Pure.
 */
#pragma once

#include "arch/types.h"

#define LINE_BUDGET 10u

struct line_budget {
	u32 used;
};

enum line_verdict { LINE_SHOWN, LINE_NO_MORE, LINE_DROPPED };

/* LINE_NO_MORE once: the caller says that there will be no more. */
static inline enum line_verdict line_budget_take(struct line_budget *budget)
{
	u32 before;

	/* First a look, so that the count does not come round. */
	if (__atomic_load_n(&budget->used, __ATOMIC_RELAXED) > LINE_BUDGET)
		return LINE_DROPPED;
	before = __atomic_fetch_add(&budget->used, 1, __ATOMIC_RELAXED);
	if (before < LINE_BUDGET)
		return LINE_SHOWN;
	return before == LINE_BUDGET ? LINE_NO_MORE : LINE_DROPPED;
}
