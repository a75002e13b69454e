/* SPDX-License-Identifier: MIT */
/* How fast the time-stamp counter counts. */
#pragma once

#include "boot/uefi/loader.h"

/* Ticks a second: what the processor tells, else what the firmware's clock measures in a 50th of a second; 0: neither. */
u64 tsc_frequency(const struct loader *loader);
