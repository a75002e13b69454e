/* SPDX-License-Identifier: MIT */
/*
 * The self tests of locks: taken against the order, held at a VM entry, and a
 * console whose lock is not to be had.
 */
#pragma once

#include "arch/types.h"

/* `number` is one of the SELF_TEST_ numbers; returns where the VM entry is to find the fault. */
void self_test_locks(u32 number);
