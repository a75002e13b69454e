/* SPDX-License-Identifier: MIT */
/* Which exits have a quick way, and when nothing is quick: see vmx/quick.h. */

#include "vmx/quick.h"

#include "vmx/nested/nested.h"

/* entry.asm passes the registers for the vCPU. */
static_assert(offsetof(struct vcpu, regs) == 0, "`regs` come first");

u64 quick_handle(struct vcpu *vcpu)
{
	(void)vcpu;
	return QUICK_NO;
}

u64 quick_handle_all(struct vcpu *vcpu)
{
	(void)vcpu;
	return QUICK_NO;
}
