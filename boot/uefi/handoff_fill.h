/* SPDX-License-Identifier: MIT */
/*
 * Fills the struct that the kernel is handed.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Chooses the processors to launch, into a list that fill_handoff() copies; returns how many. */
UINTN list_processors(struct loader *loader);

/* Builds the handoff in the block, behind the kernel's image. */
EFI_STATUS fill_handoff(struct loader *loader);
