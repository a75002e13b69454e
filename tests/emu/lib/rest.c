// SPDX-License-Identifier: MIT
/*
 * See rest.h. Stands before the firmware's ExitBootServices: an event handler would come too early, before the firmware has brought
 * the processors into their last loop.
 */
#include "tests/emu/lib/rest.h"

#include "tests/emu/lib/sipi_again.h"

enum { INIT_ALL_BUT_SELF = 0xc4500 };
/* The local APIC, in the mode in which OVMF leaves it. */
#define APIC_ICR (*(volatile UINT32 *)(UINTN)0xfee00300)

static EFI_EXIT_BOOT_SERVICES firmwares_own;

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN map_key)
{
	EFI_STATUS status = firmwares_own(image, map_key);

	sipi_again_end();
	if (!EFI_ERROR(status))
		APIC_ICR = INIT_ALL_BUT_SELF;
	return status;
}

void rest_after_boot_services(EFI_SYSTEM_TABLE *table)
{
	EFI_BOOT_SERVICES *boot = table->BootServices;

	firmwares_own = boot->ExitBootServices;
	boot->ExitBootServices = exit_boot_services;
	boot->Hdr.CRC32 = 0;
	boot->CalculateCrc32(boot, boot->Hdr.HeaderSize, &boot->Hdr.CRC32);
}
