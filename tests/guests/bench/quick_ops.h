/* SPDX-License-Identifier: MIT */
/* The VMX instructions with the least around them: true when neither CF nor ZF says that they failed. */
#pragma once

#include "tests/guests/lib/vmx_ops.h"

#define QUICK_OP(name, parameters, text, ...)                                          \
	static inline bool name parameters                                             \
	{                                                                              \
		bool good;                                                             \
		__asm__ volatile(text "\n\tseta %0" : "=q"(good) : __VA_ARGS__ : "cc", "memory"); \
		return good;                                                           \
	}

QUICK_OP(quick_vmptrld, (const u64 *address), "vmptrld %1", "m"(*address))
QUICK_OP(quick_vmptrst, (u64 *to), "vmptrst %1", "m"(*to))
QUICK_OP(quick_vmclear, (const u64 *address), "vmclear %1", "m"(*address))
QUICK_OP(quick_invept, (u64 type, const struct descriptor128 *at), "invept %2, %1", "r"(type), "m"(*at))
QUICK_OP(quick_invvpid, (u64 type, const struct descriptor128 *at), "invvpid %2, %1", "r"(type), "m"(*at))
QUICK_OP(quick_vmxon, (const u64 *address), "vmxon %1", "m"(*address))
QUICK_OP(quick_vmxoff, (void), "vmxoff", )
