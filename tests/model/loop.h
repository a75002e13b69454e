/* SPDX-License-Identifier: MIT */
/* vcpu_run() in pieces: tests/model/loop.c. */
#pragma once

#include "vmx/vcpu.h"

/* The first entry to L1. False when the processor refuses it. */
bool loop_first(struct vcpu *vcpu);
/* From an exit until a guest runs again. */
void loop_turn(struct vcpu *vcpu);
