/* SPDX-License-Identifier: MIT */
/*
 * What boot/root/entry.asm pushed on the caller's stack: the caller's registers
 * at the call, and where the call returns to. On success the guest goes on there.
 */
#pragma once

#include "vmx/vcpu.h"

struct launch_frame {
	struct regs regs;		/* RSP's place is not filled */
	u64 rflags;
	u64 return_address;		/* the caller's stack pointer is behind this */
};
