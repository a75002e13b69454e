/* SPDX-License-Identifier: MIT */
/* MSR bitmaps: layout and test. */

#include "vmx/msr_bitmap.h"

bool msr_bitmap_covers(u32 msr)
{
	u32 bit;

	return msr_bitmap_bit(msr, MSR_READ, &bit);
}

bool msr_bitmap_position(u32 msr, enum msr_access access, u32 *byte, u8 *mask)
{
	u32 bit;

	if (!msr_bitmap_bit(msr, access, &bit))
		return false;
	*byte = bit / 8;
	*mask = (u8)(1u << (bit % 8));
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
