/* SPDX-License-Identifier: MIT */
/*
 * NMIs are L1's. One that arrives while L0 runs, or that L0 takes while it waits
 * for a window, is handed on exactly once.
 */
#pragma once

#include "vmx/vcpu.h"

/* Before each entry: hand on what arrived. */
void nmi_before_entry(struct vcpu *vcpu);
