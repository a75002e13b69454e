/* SPDX-License-Identifier: MIT */
/*
 * EFI_MP_SERVICES_PROTOCOL, of the Platform Initialization specification,
 * volume 2, "MP Services Protocol": gnu-efi does not have it.
 */
#pragma once

#include <efi.h>

#define MP_SERVICES_GUID { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } }

#define PROCESSOR_IS_BOOT_PROCESSOR 1u
#define PROCESSOR_IS_ENABLED 2u

struct processor_information {
	UINT64 apic_id;
	UINT32 status;
	UINT32 package, core, thread;
	UINT32 extended[6];
};

typedef VOID (EFIAPI *processor_procedure)(VOID *argument);

struct mp_services {
	EFI_STATUS (EFIAPI *get_count)(struct mp_services *this, UINTN *count, UINTN *enabled);
	EFI_STATUS (EFIAPI *get_information)(struct mp_services *this, UINTN number,
					     struct processor_information *information);
	EFI_STATUS (EFIAPI *start_all)(struct mp_services *this, processor_procedure procedure, BOOLEAN one_by_one,
				       EFI_EVENT event, UINTN microseconds, VOID *argument, UINTN **failed);
	EFI_STATUS (EFIAPI *start_one)(struct mp_services *this, processor_procedure procedure, UINTN number,
				       EFI_EVENT event, UINTN microseconds, VOID *argument, BOOLEAN *finished);
	VOID *switch_boot_processor;
	EFI_STATUS (EFIAPI *enable_disable)(struct mp_services *this, UINTN number, BOOLEAN enable, UINT32 *health);
	VOID *who_am_i;
};
