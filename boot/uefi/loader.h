/* SPDX-License-Identifier: MIT */
/*
 * What the steps of the loader share. Lives in the loader's own image, which
 * L1 may see: nothing here is secret or trusted after launch.
 */
#pragma once

#include <efi.h>

#include "boot/handoff.h"
#include "boot/uefi/config.h"
#include "boot/uefi/elf_load.h"
#include "boot/uefi/machine_check.h"

struct loader {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
	EFI_LOADED_IMAGE *self;

	struct config config;
	struct config_notes notes;
	bool config_missing;
	bool config_cut;		/* it is longer than what is read of it */
	bool started_before;		/* by this firmware: only the load options may name an L1 image */

	struct machine machine;
	struct machine_faults faults;

	u64 block_base, block_size;	/* the reserved block; 0 while there is none */
	struct elf_image kernel;
	struct handoff *handoff;	/* in the block */
	/* MP Services' number of each CPU in the handoff, same order. */
	UINTN processor_number[HANDOFF_MAX_CPUS];
	UINTN processors_present;	/* enabled ones, also those that the configuration leaves out */
};
