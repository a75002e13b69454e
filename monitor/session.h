/* SPDX-License-Identifier: MIT */
/* From the key to `continue`: the terminal is the monitor's, the guests stand still. */
#pragma once

#include "vmx/vcpu.h"

/* struct machine's stop_point. */
void session_stop_point(struct vcpu *vcpu);
