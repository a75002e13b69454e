/* SPDX-License-Identifier: MIT */
/* What L2 gets from EPT without an exit to L1: virtualization exceptions (VMFUNC is in exits.h). */
#pragma once

#include "vmx/exit.h"
#include "vmx/vcpu.h"

/* A violation of EPT12, told as `exit` has it: true when it was a #VE, which is then on its way to L2 or, intercepted, to L1. */
bool handle_virtualization_exception(struct vcpu *vcpu, const struct vm_exit *exit, u64 entry12);
