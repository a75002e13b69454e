/* SPDX-License-Identifier: MIT */
/*
 * L0's own state as every VMCS of a CPU has it: where a VM exit lands. SDM
 * "Host-State Area". Constant per CPU once bring-up is done.
 */
#pragma once

#include "vmx/vmcs.h"

/* Writes all host-state fields of the current VMCS from this CPU's live state. */
void host_state_write(const struct vmcs *vmcs, u32 exit_controls);
