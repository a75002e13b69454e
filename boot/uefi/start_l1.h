/* SPDX-License-Identifier: MIT */
/*
 * Starts the configured L1 image.
 */
#pragma once

#include "boot/uefi/loader.h"

/*
 * Returns only if L1 does, or if there is nothing to start. An error status
 * makes the firmware go on with its boot order.
 */
EFI_STATUS start_l1(struct loader *loader);
