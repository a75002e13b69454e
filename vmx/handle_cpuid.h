/* SPDX-License-Identifier: MIT */
/* What CPUID tells L1. */
#pragma once

#include "vmx/vcpu.h"

/* Puts the answer to RAX and RCX into `regs`. */
void handle_cpuid_answer(struct vcpu *vcpu);
