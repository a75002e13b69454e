/* SPDX-License-Identifier: MIT */
/* What L2 runs: position-independent code in smp_l2.asm. */
#pragma once

#include "tests/guests/lib/types.h"

#define L2(name) extern const u8 l2_##name[]
L2(rounds); L2(continue); L2(tables); L2(generations); L2(spin);
#undef L2
