/* SPDX-License-Identifier: MIT */
/*
 * Stands before the real arch/percpu.h: the same struct, reached by a function, as
 * GS is the C library's here.
 */
#pragma once

#undef HOST_TEST
#define percpu(...) percpu_by_gs(__VA_ARGS__)
#define percpu_count(...) percpu_count_by_gs(__VA_ARGS__)
#define percpu_set_current_vmcs(...) percpu_set_current_vmcs_by_gs(__VA_ARGS__)
#include "../../../arch/percpu.h"
#undef percpu
#undef percpu_count
#undef percpu_set_current_vmcs
#define HOST_TEST 1

struct percpu *percpu(void);

static inline void percpu_count(u32 first, u64 index)
{
	percpu()->counter[first + index]++;
}

static inline void percpu_set_current_vmcs(const struct vmcs *vmcs)
{
	percpu()->current_vmcs = vmcs;
}
