/* SPDX-License-Identifier: MIT */
/* L1's own exits in the common case: see vmx/quick.h. */
#pragma once

#include "vmx/vcpu.h"

/*
 * Each carries out the instruction for which L1 has exited, and says so; or changes nothing, and the
 * long way does it. vmcs01 is current. CPUID leaves RBX to be loaded from `regs`, and answers as quick_handle();
 * the other needs all registers there.
 */
u64 handle_quick_cpuid(struct vcpu *vcpu);
bool handle_quick_insn(struct vcpu *vcpu, u32 reason);
