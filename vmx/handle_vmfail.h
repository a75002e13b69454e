/* SPDX-License-Identifier: MIT */
/* Why an instruction of L1's failed: a line at the debug level for what L1 sees as a number. */
#pragma once

#include "vmx/nested/insn.h"
#include "vmx/vcpu.h"

/* `result` is a VMfail of the instruction that exited, before RIP moves on. */
void handle_vmfail_explain(struct vcpu *vcpu, struct insn_result result);
