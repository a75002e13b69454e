/* SPDX-License-Identifier: MIT */
/*
 * Stands before the real arch/vmx_ops.h: the VMX instructions as the model of the
 * processor carries them out (tests/model/processor.c).
 */
#pragma once

#include "arch/types.h"

enum vmx_result { VMX_OK, VMX_FAIL_VALID, VMX_FAIL_INVALID };

enum vmx_result vmclear(const u64 *address);
enum vmx_result vmptrld(const u64 *address);

static inline bool vmptrld_failed(const u64 *address)
{
	return vmptrld(address) != VMX_OK;
}

static inline bool vmclear_failed(const u64 *address)
{
	return vmclear(address) != VMX_OK;
}

bool vmread_failed(u64 encoding, u64 *value);
bool vmwrite_failed(u64 encoding, u64 value);

static inline void vmwrite_known(u64 encoding, u64 value)
{
	(void)vmwrite_failed(encoding, value);
}

enum { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum { INVVPID_ADDRESS = 0, INVVPID_SINGLE = 1, INVVPID_ALL = 2, INVVPID_SINGLE_RETAINING_GLOBALS = 3 };

enum vmx_result invept(u64 type, u64 eptp);
enum vmx_result invvpid(u64 type, u16 vpid, u64 address);
