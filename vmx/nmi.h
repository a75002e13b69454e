/* SPDX-License-Identifier: MIT */
/*
 * NMIs are L1's. One that arrives while L0 runs, or that L0 takes while it waits
 * for a window, is handed on exactly once; so is an INIT that L1's VMX root
 * operation blocked.
 */
#pragma once

#include "vmx/vcpu.h"

/* The entry was refused: an NMI is pending. Takes it into nested->waiting. */
void nmi_take(struct vcpu *vcpu);
/* Before each entry while nested->waiting says that there is something: hand it on. */
void nmi_before_entry(struct vcpu *vcpu);
