/* SPDX-License-Identifier: MIT */
/* Control registers of L1: of CR0 and CR4, L0 owns what VMX operation fixes. */
#pragma once

#include "vmx/vcpu.h"

/* After VMXON and VMXOFF: in VMX operation, L1 may not clear the fixed bits. SDM "Restrictions on VMX Operation". */
void handle_cr_update_masks(struct vcpu *vcpu);
