/* SPDX-License-Identifier: MIT */
/* What the firmware's page tables say of memory, and memory that code is to run from: also for the first stage. */
#pragma once

#include <efi.h>

#include "arch/types.h"

/* May `address` be read? */
bool is_mapped(u64 address);

/* Whole pages, all of one allocation. False: code cannot run there, and whoever jumps there faults. */
bool make_executable(EFI_BOOT_SERVICES *boot, u64 base, u64 size);
