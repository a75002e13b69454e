/* SPDX-License-Identifier: MIT */
/*
 * The self tests of machine checks: one in L0, one told of by a VM entry, and
 * registers with errors that the emulator cannot make.
 */
#pragma once

#include "boot/root/cpu_area.h"

/* `number` is one of the SELF_TEST_ numbers. Ends in a panic. */
noreturn void self_test_mca(struct cpu_area *area, u32 number);
