/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions. Each returns its outcome as a number: OUTCOME_OK,
 * VMfailInvalid, VMfailValid with the VM-instruction error, or, through
 * attempt(), the exception it raised.
 */
#pragma once

#include "tests/guests/lib/types.h"
#include "tests/guests/lib/vmcs_fields.h"

#define OUTCOME_OK 0u
#define OUTCOME_FAIL_INVALID 0x1000u
#define OUTCOME_FAIL_VALID 0x2000u /* | error number */
#define OUTCOME_EXCEPTION 0x4000u  /* | vector */

struct descriptor128 {
	u64 low, high;
};

typedef u32 (*vmx_op)(u64 a, u64 b);

/* Runs op and turns an exception inside it into an outcome. */
u32 attempt(vmx_op op, u64 a, u64 b);

/* The error code of the last exception that attempt() caught. */
u32 attempt_error_code(void);

u32 op_vmxon(u64 pointer_address, u64 unused);
u32 op_vmxoff(u64 a, u64 b);
u32 op_vmclear(u64 pointer_address, u64 unused);
u32 op_vmptrld(u64 pointer_address, u64 unused);
u32 op_vmptrst(u64 pointer_address, u64 unused);
u32 op_vmread(u64 field, u64 value_address);
u32 op_vmread_memory(u64 field, u64 value_address);
u32 op_vmwrite(u64 field, u64 value);
u32 op_vmwrite_memory(u64 field, u64 value_address);
u32 op_vmlaunch(u64 a, u64 b);
u32 op_vmresume(u64 a, u64 b);
u32 op_invept(u64 type, u64 descriptor_address);
u32 op_invvpid(u64 type, u64 descriptor_address);
u32 op_vmcall(u64 a, u64 b);
u32 op_vmfunc(u64 function, u64 unused);

/* For code that relies on success; a failure ends the running scenario. */
u64 vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, u64 value);
void vmptrld(u64 pa);
void vmclear(u64 pa);
void invept(u64 type, u64 eptp);
void invvpid(u64 type, u16 vpid, u64 address);

/* Without the test for failure: for what is being timed. */
static inline u64 vmread_unchecked(enum vmcs_field field)
{
	u64 value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((u64)field) : "cc", "memory");
	return value;
}

static inline void vmwrite_unchecked(enum vmcs_field field, u64 value)
{
	__asm__ volatile("vmwrite %0, %1" : : "r"(value), "r"((u64)field) : "cc", "memory");
}
