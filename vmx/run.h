/* SPDX-License-Identifier: MIT */
/*
 * The loop of a vCPU: enter, see why it came back, reflect or handle, repeat.
 */
#pragma once

#include "boot/handoff.h"
#include "vmx/vcpu.h"

/*
 * Runs L1 for ever. Returns only when the very first entry is refused: nothing
 * has run then, and the launch can be undone.
 */
enum launch_status vcpu_run(struct vcpu *vcpu);
