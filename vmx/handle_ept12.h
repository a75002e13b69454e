/* SPDX-License-Identifier: MIT */
/* EPT violations and misconfigurations of an L2 that has EPT12. */
#pragma once

#include "vmx/exit.h"
#include "vmx/nested/reflect.h"
#include "vmx/vcpu.h"

/* Whose the exit is: L0's, which has filled EPT02, or L1's. Then `exit` is as L1 is to see it. */
enum reflect_owner handle_ept12(struct vcpu *vcpu, struct vm_exit *exit);
/* All of such an exit, in few instructions where it is an ordinary miss or violation (vmx/quick.h): the address of `regs`. */
u64 handle_ept12_quick(struct vcpu *vcpu, u32 reason);
