/* SPDX-License-Identifier: MIT */
/* EPT violations and misconfigurations of an L2 that has EPT12. */
#pragma once

#include "vmx/exit.h"
#include "vmx/nested/reflect.h"
#include "vmx/vcpu.h"

/* Whose the exit is: L0's, which has filled EPT02, or L1's. Then `exit` is as L1 is to see it. */
enum reflect_owner handle_ept12(struct vcpu *vcpu, struct vm_exit *exit);
