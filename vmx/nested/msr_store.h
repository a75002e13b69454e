/* SPDX-License-Identifier: MIT */
/*
 * The MSR store list of vmcs12 at an exit to L1. Done by L0, because a list that
 * hardware cannot store stops the real processor (VMX abort).
 */
#pragma once

#include "vmx/nested/nested.h"

/* vmcs02 is current. False: a VMX abort. SDM "Saving MSRs". */
bool msr_store_list(struct vcpu *vcpu, struct nested_slot *slot) must_check;
