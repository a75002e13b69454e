/* SPDX-License-Identifier: MIT */
/*
 * The TSC's frequency: see boot/uefi/clock.h.
 */
#include "boot/uefi/clock.h"

#include "boot/uefi/ports.h"
#include "drivers/line_style.h"

#define TSC_LEAF 0x15
#define MEASURES_A_SECOND 50

u64 tsc_frequency(const struct loader *loader)
{
	u32 most[4], tsc[4] = { 0 }, base[4] = { 0 };
	u64 told, before;

	read_cpuid(0, 0, most);
	if (most[0] >= TSC_LEAF)
		read_cpuid(TSC_LEAF, 0, tsc);
	if (most[0] > TSC_LEAF)
		read_cpuid(TSC_LEAF + 1, 0, base);
	told = tsc_hz_told(tsc[0], tsc[1], tsc[2], base[0]);
	if (told)
		return told;
	before = read_tsc();
	if (EFI_ERROR(loader->boot->Stall(1000000 / MEASURES_A_SECOND)))
		return 0;
	return (read_tsc() - before) * MEASURES_A_SECOND;
}
