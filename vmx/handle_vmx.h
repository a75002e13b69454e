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

/*
 * What instructions do once their operands are there. Unless the outcome is INSN_OK nothing has been changed, but by
 * handle_vmx_apply() afterwards.
 */
struct insn_result handle_vmclear_of(struct vcpu *vcpu, u64 pointer);
struct insn_result handle_vmptrld_of(struct vcpu *vcpu, u64 pointer);
struct insn_result handle_invept_of(struct vcpu *vcpu, u64 type, const u64 descriptor[2]);
struct insn_result handle_invvpid_of(struct vcpu *vcpu, u64 type, const u64 descriptor[2]);
/* L1 has written the field in its current vmcs12. */
void handle_field_written(struct vcpu *vcpu, const struct vmcs_field_info *info);
