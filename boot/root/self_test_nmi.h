/* SPDX-License-Identifier: MIT */
/*
 * The self test of NMIs: one arrives in root mode, and L1 must take it once.
 */
#pragma once

#include "boot/root/cpu_area.h"

/* L1 gets a handler that prints a line; true when L0 has noted the NMI. */
bool self_test_nmi(struct cpu_area *area) must_check;
