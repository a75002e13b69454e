/* SPDX-License-Identifier: MIT */
/*
 * vmcs01: the VMCS that runs L1, built once per CPU from the caller's state.
 */
#pragma once

#include "boot/handoff.h"
#include "boot/root/firmware_state.h"
#include "vmx/vcpu.h"

/* vcpu->machine is set. Leaves vmcs01 complete and current, and the registers in vcpu->regs. */
enum launch_status vmcs01_build(struct vcpu *vcpu, const struct firmware_state *state) must_check;
