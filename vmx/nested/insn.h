/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions as functions of their operands: what each refuses, with
 * which error. Operands are fetched and results applied elsewhere
 * (vmx/handle_vmx.c). SDM "VMX Instruction Reference". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/caps.h"
#include "vmx/nested/vmcs12.h"

/* SDM "VM Instruction Error Numbers". */
enum vm_instruction_error {
	VMERR_VMCALL_IN_ROOT = 1,
	VMERR_VMCLEAR_ADDRESS = 2,
	VMERR_VMCLEAR_VMXON_POINTER = 3,
	VMERR_VMLAUNCH_NOT_CLEAR = 4,
	VMERR_VMRESUME_NOT_LAUNCHED = 5,
	VMERR_CONTROLS = 7,
	VMERR_HOST_STATE = 8,
	VMERR_VMPTRLD_ADDRESS = 9,
	VMERR_VMPTRLD_VMXON_POINTER = 10,
	VMERR_VMPTRLD_REVISION = 11,
	VMERR_UNSUPPORTED_FIELD = 12,
	VMERR_READ_ONLY_FIELD = 13,
	VMERR_VMXON_IN_ROOT = 15,
	VMERR_MOV_SS = 26,
	VMERR_INVALIDATION_OPERAND = 28
};

enum insn_outcome { INSN_OK, INSN_FAIL_INVALID, INSN_FAIL_VALID, INSN_FAULT, INSN_DONE };

/* How an instruction ends for L1. SDM "Conventions". */
struct insn_result {
	u8 outcome;		/* enum insn_outcome; INSN_DONE: nothing is left to do (L2 runs, or L1 got an exit) */
	u8 vector;		/* INSN_FAULT: #UD, #GP, #SS, #PF */
	u16 error;		/* INSN_FAIL_VALID: enum vm_instruction_error */
	u32 error_code;		/* INSN_FAULT, where the vector has one; INSN_FAIL_INVALID: the error that has no place, for L0 */
	u64 cr2;		/* INSN_FAULT with #PF */
};

static inline struct insn_result insn_ok(void)
{
	return (struct insn_result){ .outcome = INSN_OK };
}

static inline struct insn_result insn_done(void)
{
	return (struct insn_result){ .outcome = INSN_DONE };
}

static inline struct insn_result insn_fault(u8 vector)
{
	return (struct insn_result){ .outcome = INSN_FAULT, .vector = vector };
}

/*
 * VMfail(n): VMfailValid where there is a current VMCS to hold the number,
 * else VMfailInvalid. SDM "Conventions".
 */
struct insn_result insn_fail(bool has_current, enum vm_instruction_error error);

/* What decides whether L1 may execute VMX instructions here at all. */
struct insn_mode {
	u64 cr0, cr4;		/* as L1 reads them */
	u64 rflags, efer;
	bool cs_l;		/* CS.L */
	u8 cpl;
	bool in_vmx_operation;
};

/* #UD and #GP(0) of every VMX instruction but VMXON, in the SDM's order. */
struct insn_result insn_check_mode(const struct insn_mode *mode);

/* The same for INVEPT (EPT_CAP_INVEPT) and INVVPID (VPID_CAP_INVVPID). */
struct insn_result insn_check_invalidation(const struct insn_mode *mode, const struct vmx_caps *offered, u64 capability);

/* The same for VMXON outside VMX operation. SDM "VMXON". */
struct insn_result insn_check_vmxon(const struct insn_mode *mode, const struct vmx_caps *offered);

/* 4 KB aligned and within the physical-address width? */
bool insn_is_region_address(const struct l1_memory *memory, u64 address);

/* VMREAD and VMWRITE on a cached vmcs12; `encoding` is the whole operand. */
struct insn_result insn_vmread(const struct vmcs12 *vmcs12, const struct vmx_caps *offered, u64 encoding, u64 *value);
struct insn_result insn_vmwrite(struct vmcs12 *vmcs12, const struct vmx_caps *offered, u64 encoding, u64 value);

/* The row that VMREAD and VMWRITE of this operand name, or NULL where L1 is not offered it. */
const struct vmcs_field_info *insn_field(const struct vmx_caps *offered, u64 encoding);

/* Types and descriptors of INVEPT and INVVPID; `has_current` as in insn_fail. */
struct insn_result insn_check_invept(const struct vmx_caps *offered, u64 type, bool has_current);
struct insn_result insn_check_invept_descriptor(const struct vmx_caps *offered, u64 type, const u64 descriptor[2], bool has_current);
struct insn_result insn_check_invvpid(const struct vmx_caps *offered, u64 type, bool has_current);
struct insn_result insn_check_invvpid_descriptor(const struct vmx_caps *offered, u64 type, const u64 descriptor[2], bool has_current);
