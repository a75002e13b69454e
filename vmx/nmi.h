/* SPDX-License-Identifier: MIT */
/*
 * NMIs are L1's. One that arrives while L0 runs, or that L0 takes while it waits
 * for a window, is handed on exactly once; so is an INIT that L1's VMX root
 * operation blocked.
 */
#pragma once

#include "vmx/vcpu.h"

/* Before each entry while cpu->nmi_pending or nested->waiting says that there is something: hand it on. */
void nmi_before_entry(struct vcpu *vcpu);
