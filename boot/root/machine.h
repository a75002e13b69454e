/* SPDX-License-Identifier: MIT */
/*
 * Makes what all CPUs share of the virtual machine: capabilities, EPT01, the
 * scratch page, L1's MSR bitmap. The first CPU does it, the others find it.
 */
#pragma once

#include "boot/handoff.h"
#include "vmx/machine.h"

enum launch_status machine_prepare(const struct handoff *handoff, struct machine **machine) must_check;
