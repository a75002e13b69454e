/* SPDX-License-Identifier: MIT */
/*
 * MSR bitmaps: SDM "MSR-Bitmap Address". One page: reads of 0..1fffH, reads of
 * c0000000H..c0001fffH, writes of either. An MSR outside both always exits. Pure.
 */
#pragma once

#include "mm/addr.h"

#define MSR_BITMAP_BYTES 4096
#define MSR_BITMAP_WORDS (MSR_BITMAP_BYTES / sizeof(u64))

enum msr_access { MSR_READ, MSR_WRITE };

/* Is the MSR in one of both ranges? */
bool msr_bitmap_covers(u32 msr);

/* Which of the page's bits is an MSR's; false when the MSR lies outside both ranges. */
static inline bool msr_bitmap_bit(u32 msr, enum msr_access access, u32 *bit)
{
	bool is_high = msr > 0x1fff;
	u32 index = is_high ? msr - 0xc0000000 : msr;

	*bit = index + (is_high ? 0x2000 : 0) + (access == MSR_WRITE ? 0x4000 : 0);
	return index <= 0x1fff;
}

/* The same by byte and mask. */
bool msr_bitmap_position(u32 msr, enum msr_access access, u32 *byte, u8 *mask);

void msr_bitmap_set(u8 *bitmap, u32 msr, enum msr_access access);

/* Does an access exit under this bitmap? */
bool msr_bitmap_exits(const u8 *bitmap, u32 msr, enum msr_access access);
