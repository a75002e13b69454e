/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: what firmware with VT-x turned off in its setup does.
 * Locks IA32_FEATURE_CONTROL without VMX, on the last processor only, so that
 * a machine of one refuses Testudo at its check and a machine of two when the
 * other processor is launched. Must not do anything else to the machine.
 */
#include <efi.h>

#include "boot/uefi/mp_services.h"

#define IA32_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_LOCK 1

static EFI_GUID mp_services_guid = MP_SERVICES_GUID;

static VOID EFIAPI lock(VOID *unused)
{
	(void)unused;
	__asm__ volatile("wrmsr" : : "c"(IA32_FEATURE_CONTROL), "a"(FEATURE_CONTROL_LOCK), "d"(0));
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	struct mp_services *mp;
	UINTN count = 0, enabled = 0;
	EFI_STATUS status = table->BootServices->LocateProtocol(&mp_services_guid, NULL, (void **)&mp);

	(void)self;
	if (EFI_ERROR(status))
		return status;
	status = mp->get_count(mp, &count, &enabled);
	if (EFI_ERROR(status))
		return status;
	if (count == 1) {
		lock(NULL);
		return EFI_SUCCESS;
	}
	return mp->start_one(mp, lock, count - 1, NULL, 0, NULL, NULL);
}
