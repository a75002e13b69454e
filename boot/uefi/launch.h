/* SPDX-License-Identifier: MIT */
/*
 * Takes the processors into the kernel.
 */
#pragma once

#include "boot/uefi/loader.h"

/*
 * Launches every processor of the handoff, the boot processor last. On success
 * this returns as a guest, with loader->launched telling who runs: those that
 * failed are left out where the configuration and the failure allow it. Otherwise
 * no further one is launched, and the block is given back if none is in it.
 */
EFI_STATUS launch_all(struct loader *loader);
