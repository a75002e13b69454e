/* SPDX-License-Identifier: MIT */
/*
 * Is an exit by a bitmap plainly L1's? One look at L1's own bitmap, for exits of which the plan says that bitmaps decide. A no
 * says nothing: whatever else there is to know, and to learn from it, is bitmaps02_owner()'s. Pure.
 */
#pragma once

#include "arch/atomic.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/quick_plan.h"

/* RDMSR or WRMSR of this MSR. Without a bit it exits in any case. */
static inline bool quick_msr_is_l1s(const struct quick_plan *plan, u32 msr, enum msr_access access)
{
	u32 bit;

	if (unlikely(!msr_bitmap_bit(msr, access, &bit)))
		return true;
	return bit_is_set(atomic_read64(&plan->msr_bitmap12[bit / 64]), bit % 64);
}

/* IN or OUT whose ports have their bits in one word. SDM "Exit Qualification for I/O Instructions". */
static inline bool quick_port_is_l1s(const struct quick_plan *plan, u64 qualification)
{
	u32 first = (u32)field_get(qualification, BITS(31, 16)), more = (u32)field_get(qualification, BITS(2, 0));
	const u64 *bitmap = plan->io_bitmaps12[first / 0x8000];

	if (first % 64 + more >= 64)
		return false;
	return (atomic_read64(&bitmap[first % 0x8000 / 64]) & BITS(more, 0) << first % 64) != 0;
}
