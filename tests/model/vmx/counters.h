/* SPDX-License-Identifier: MIT */
/* Stands before the real vmx/counters.h, whose count() is one instruction through GS. */
#pragma once

#define count(...) count_by_gs(__VA_ARGS__)
#define count_many(...) count_many_by_gs(__VA_ARGS__)
#include "../../../vmx/counters.h"
#undef count
#undef count_many

static inline void count(enum counter counter)
{
	percpu()->counter[counter]++;
}

static inline void count_many(enum counter counter, u64 number)
{
	percpu()->counter[counter] += number;
}
