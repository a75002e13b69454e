/* SPDX-License-Identifier: MIT */
/*
 * L0's heartbeat: an exit now and then of a guest that has none of its own, for L0 to look whether somebody wants the monitor.
 * It is the VMX-preemption timer, saved by each exit, so that it counts through those that are quick, and costs them nothing: in vmcs01,
 * and in a vmcs02 whose vmcs12 has no timer. Where L1 has a timer for L2, L1 has an exit.
 * SDM "VMX-Preemption Timer".
 */
#pragma once

#include "vmx/caps.h"
#include "vmx/vcpu.h"

/* TSC ticks: some hundredths of a second on the processors of today. */
#define HEARTBEAT_TICKS UINT64_C(200000000)

/* The timer's value, or 0 where the processor has no such timer or does not save it. Pure. */
u32 heartbeat_value(const struct vmx_caps *hardware);

/* vmcs01 is current, and has its controls. */
void heartbeat_begin(struct vcpu *vcpu);
