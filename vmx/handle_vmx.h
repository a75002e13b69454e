/* SPDX-License-Identifier: MIT */
/* L1's VMX instructions: how an insn_result becomes L1's state. */
#pragma once

#include "vmx/nested/insn.h"
#include "vmx/vcpu.h"

/*
 * Applies the outcome of the instruction at L1's RIP: flags, VM-instruction error,
 * exception, or nothing more to do.
 */
void handle_vmx_apply(struct vcpu *vcpu, struct insn_result result);
