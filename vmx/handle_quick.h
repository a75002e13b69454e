/* SPDX-License-Identifier: MIT */
/* L1's own exits in the common case: see vmx/quick.h. */
#pragma once

#include "vmx/vcpu.h"

/*
 * Each carries out the instruction for which L1 has exited; or changes nothing, and the long way does it. vmcs01 is
 * current. All answer as quick_handle(). `registers`: those that are in `regs` (vmx/handle_quick_insn.h), and QUICK_ALL asks for
 * the others. CPUID leaves RBX to be loaded from `regs`.
 */
u64 handle_quick_cpuid(struct vcpu *vcpu);
u64 handle_quick_vmread(struct vcpu *vcpu, u64 registers);
u64 handle_quick_vmwrite(struct vcpu *vcpu, u64 registers);
/* All the other VMX instructions with operands; and these two with one in memory, as instruction information has told. */
u64 handle_quick_insn(struct vcpu *vcpu, u32 reason, u64 registers);
u64 handle_quick_operands(struct vcpu *vcpu, u32 reason, u64 registers, u32 information);

/* VMREAD and VMWRITE, where the operands come from. False: nothing is changed, the long way does it. */
bool handle_quick_read_field(struct vcpu *vcpu, u64 encoding, u64 *value);
bool handle_quick_write_field(struct vcpu *vcpu, u64 encoding, u64 value);
