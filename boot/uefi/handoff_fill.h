/* SPDX-License-Identifier: MIT */
/*
 * Fills the struct that the kernel is handed.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Builds the handoff in the block, behind the kernel's image. */
EFI_STATUS fill_handoff(struct loader *loader);
