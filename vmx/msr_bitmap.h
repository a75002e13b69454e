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

/* Where the bit of an MSR is; false when the MSR lies outside both ranges. */
bool msr_bitmap_position(u32 msr, enum msr_access access, u32 *byte, u8 *mask);

void msr_bitmap_set(u8 *bitmap, u32 msr, enum msr_access access);

/* Does an access exit under this bitmap? */
bool msr_bitmap_exits(const u8 *bitmap, u32 msr, enum msr_access access);
