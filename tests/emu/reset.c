/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: an L1 that resets the machine, as a user does. By the keyboard controller, which resets
 * the processors alone: after a hardware reset OVMF does not start again in Bochs (docs/emulators.md).
 */
#include <efi.h>
#include <stdint.h>

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	(void)self;
	(void)table;
	__asm__ volatile("outb %0, %1" : : "a"((uint8_t)0xfe), "Nd"((uint16_t)0x64));
	for (;;)
		__asm__ volatile("hlt");
}
