/* SPDX-License-Identifier: MIT */
/*
 * VMX aborts of L1: an exit that cannot be completed. SDM "VMX Aborts": the indicator
 * goes into L1's region, and the processor stands still until RESET.
 */
#pragma once

#include "vmx/vcpu.h"

/* Why: the values of the VMX-abort indicator. */
enum vmx_abort {
	ABORT_NONE,
	ABORT_SAVE_MSRS = 1,
	ABORT_HOST_PDPTE = 2,
	ABORT_LOAD_MSRS = 4,
	ABORT_ADDRESS_SPACE_SIZE = 6
};

/* vmcs01 is current afterwards, and the next entry never ends, but for a SIPI that finds a panic. */
void vmx_abort(struct vcpu *vcpu, enum vmx_abort indicator);
