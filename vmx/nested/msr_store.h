/* SPDX-License-Identifier: MIT */
/*
 * The MSR store list of vmcs12 at an exit to L1. Done by L0, because a list that
 * hardware cannot store stops the real processor (VMX abort).
 */
#pragma once

#include "vmx/nested/nested.h"

/* vmcs02 is current. SDM "Saving MSRs". */
void msr_store_list(struct vcpu *vcpu, struct nested_slot *slot);

/* L1's VMX abort: the indicator into its region, then shutdown. SDM "VMX Aborts". */
enum { ABORT_SAVE_MSRS = 1, ABORT_HOST_PDPTE = 2, ABORT_LOAD_MSRS = 4 };
noreturn void msr_vmx_abort(struct vcpu *vcpu, u32 indicator);
