/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions as functions that say how they ended. SDM
 * "Conventions": VMsucceed, VMfailValid (error number in the current VMCS),
 * VMfailInvalid. VMLAUNCH and VMRESUME are in vmx/entry.asm.
 */
#pragma once

#include "arch/types.h"

#ifdef HOST_TEST
#error "privileged instructions have no place in host tests"
#endif

enum vmx_result { VMX_OK, VMX_FAIL_VALID, VMX_FAIL_INVALID };

/*
 * CF alone is VMfailInvalid, ZF alone VMfailValid. SETcc, because clang 14 takes
 * two flag outputs of one statement for the same.
 */
#define CARRY_AND_ZERO "setc %b0\n setz %b1"

#define DEFINE_VMX_OP(name, instruction)                                              \
	static inline enum vmx_result name(const u64 *address)                        \
	{                                                                             \
		bool carry, zero;                                                     \
		__asm__ volatile(instruction " %2\n" CARRY_AND_ZERO                   \
				 : "=&q"(carry), "=&q"(zero) : "m"(*address) : "memory", "cc"); \
		return carry ? VMX_FAIL_INVALID : zero ? VMX_FAIL_VALID : VMX_OK;     \
	}

DEFINE_VMX_OP(vmxon, "vmxon")
DEFINE_VMX_OP(vmclear, "vmclear")
DEFINE_VMX_OP(vmptrld, "vmptrld")

/* The same where only success is expected: true when it failed. */
static inline bool vmptrld_failed(const u64 *address)
{
	bool failed;
	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(*address) : "memory");
	return failed;
}

static inline bool vmclear_failed(const u64 *address)
{
	bool failed;
	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(*address) : "memory");
	return failed;
}

static inline enum vmx_result vmxoff(void)
{
	bool carry, zero;
	__asm__ volatile("vmxoff\n" CARRY_AND_ZERO : "=q"(carry), "=q"(zero) : : "memory", "cc");
	return carry ? VMX_FAIL_INVALID : zero ? VMX_FAIL_VALID : VMX_OK;
}

static inline u64 vmptrst(void)
{
	u64 address;
	__asm__ volatile("vmptrst %0" : "=m"(address) : : "memory", "cc");
	return address;
}

/* `=r`, not `=rm`: clang would spill to the stack. True when it failed. */
static inline bool vmread_failed(u64 encoding, u64 *value)
{
	bool failed;
	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"(encoding));
	return failed;
}

static inline bool vmwrite_failed(u64 encoding, u64 value)
{
	bool failed;
	__asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"(encoding));
	return failed;
}

/* Of a field that exists, from wherever the value is. */
static inline void vmwrite_known(u64 encoding, u64 value)
{
	__asm__ volatile("vmwrite %0, %1" : : "rm"(value), "r"(encoding) : "cc");
}

struct invalidation_descriptor {
	u64 first;	/* EPTP, or VPID in bits 15:0 */
	u64 second;	/* 0, or a linear address */
};

enum { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum { INVVPID_ADDRESS = 0, INVVPID_SINGLE = 1, INVVPID_ALL = 2, INVVPID_SINGLE_RETAINING_GLOBALS = 3 };

static inline enum vmx_result invept(u64 type, u64 eptp)
{
	struct invalidation_descriptor descriptor = { eptp, 0 };
	bool carry, zero;
	__asm__ volatile("invept %2, %3\n" CARRY_AND_ZERO
			 : "=&q"(carry), "=&q"(zero) : "m"(descriptor), "r"(type) : "memory", "cc");
	return carry ? VMX_FAIL_INVALID : zero ? VMX_FAIL_VALID : VMX_OK;
}

static inline enum vmx_result invvpid(u64 type, u16 vpid, u64 address)
{
	struct invalidation_descriptor descriptor = { vpid, address };
	bool carry, zero;
	__asm__ volatile("invvpid %2, %3\n" CARRY_AND_ZERO
			 : "=&q"(carry), "=&q"(zero) : "m"(descriptor), "r"(type) : "memory", "cc");
	return carry ? VMX_FAIL_INVALID : zero ? VMX_FAIL_VALID : VMX_OK;
}
