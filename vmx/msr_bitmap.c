/* SPDX-License-Identifier: MIT */
/* MSR bitmaps: layout and test. */

#include "vmx/msr_bitmap.h"

#include "arch/bits.h"

bool msr_bitmap_covers(u32 msr)
{
	return msr <= 0x1fff || (msr & ~UINT32_C(0x1fff)) == 0xc0000000;
}

bool msr_bitmap_position(u32 msr, enum msr_access access, u32 *byte, u8 *mask)
{
	u32 half = access == MSR_WRITE ? 2048 : 0;
	u32 index = msr & 0x1fff;

	if (!msr_bitmap_covers(msr))
		return false;
	if (msr > 0x1fff)
		half += 1024;
	*byte = half + index / 8;
	*mask = (u8)(1u << (index % 8));
	return true;
}

void msr_bitmap_set(u8 *bitmap, u32 msr, enum msr_access access)
{
	u32 byte;
	u8 mask;

	if (msr_bitmap_position(msr, access, &byte, &mask))
		bitmap[byte] |= mask;
}

bool msr_bitmap_exits(const u8 *bitmap, u32 msr, enum msr_access access)
{
	u32 byte;
	u8 mask;

	return !msr_bitmap_position(msr, access, &byte, &mask) || (bitmap[byte] & mask);
}
