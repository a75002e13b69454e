/* SPDX-License-Identifier: MIT */
/*
 * Operands of L1's VMX instructions: registers, and memory through L1's own
 * segmentation and paging. SDM "Information for VM Exits Due to Instruction Execution".
 */
#pragma once

#include "vmx/exit.h"
#include "vmx/insn_info.h"
#include "vmx/nested/insn.h"
#include "vmx/vcpu.h"

/* L1's mode, for the checks that come before the operand. */
struct insn_mode operand_mode(const struct vcpu *vcpu);

/* The decoded instruction information of the exit. */
struct insn_info operand_info(const struct vcpu *vcpu);

/* A general register as the instruction reads or writes it: 32 bits outside 64-bit mode. */
u64 operand_register(const struct vcpu *vcpu, u8 number);
void operand_set_register(struct vcpu *vcpu, u8 number, u64 value);

/* 8 in 64-bit mode, else 4: the operand size of VMREAD and VMWRITE. */
u32 operand_size(const struct vcpu *vcpu);

/* `size` bytes at the memory operand; anything but INSN_OK is the fault to raise. */
struct insn_result operand_read(struct vcpu *vcpu, const struct vm_exit *exit, void *to, u32 size);
struct insn_result operand_write(struct vcpu *vcpu, const struct vm_exit *exit, const void *from, u32 size);
