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
#include "boot/uefi/sleep_states.h"

struct first_stage;

struct loader {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
	EFI_LOADED_IMAGE *self;

	struct config config;
	struct config_notes notes;
	char *config_text;		/* the file, while entries may be wanted of it */
	u32 entry;			/* which one is in force, if `uses_entry` */
	bool uses_entry;
	bool config_missing;
	bool config_cut;		/* it is longer than what is read of it */
	bool started_before;		/* by this firmware: only the load options may name an L1 image */

	struct machine machine;
	struct machine_faults faults;

	const struct first_stage *first;
	u64 boot_number;		/* one more than the newest boot's whose lines are still in memory */
	u64 block_base, block_size;	/* the reserved block; 0 while there is none */
	struct elf_image kernel;
	struct handoff *handoff;	/* in the block */
	struct sleep_types sleep_types;
	struct sleep_ports sleep_ports;

	/* Those to launch, in the handoff's order, and MP Services' numbers of them. */
	struct handoff_cpu processor[HANDOFF_MAX_CPUS];
	UINTN processor_number[HANDOFF_MAX_CPUS];
	u32 processors;
	u32 processors_present;		/* enabled ones, also those that are not to be launched */
	u32 launched_apic_id[HANDOFF_MAX_CPUS];
	u32 launched;
};
