/* SPDX-License-Identifier: MIT */
/*
 * The one block of memory that L0 will ever use.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Takes the block for `cpus` processors: EfiReservedMemoryType, 2 MB aligned, executable. */
EFI_STATUS reserve_block(struct loader *loader, UINTN cpus);
/* Gives it back; only while no processor runs in it. */
void release_block(struct loader *loader);
