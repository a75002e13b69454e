/* SPDX-License-Identifier: MIT */
/* What L2 runs: position-independent code in the *_l2.asm files. */
#pragma once

#include "tests/guests/lib/types.h"

/* instructions_l2.asm */
extern const u8 l2_cpuid[], l2_vmcall[];
/* ept_l2.asm */
extern const u8 l2_read[], l2_write[], l2_call[], l2_read_write[];
