/* SPDX-License-Identifier: MIT */
/*
 * What the monitor shows of a stopped processor, taken from it by itself. Nothing that a guest could tell changes: vmcs12 is put together
 * in a copy, and the counters are what they were before.
 */
#pragma once

#include "monitor/monitor.h"
#include "monitor/show_counts.h"
#include "monitor/show_ept.h"
#include "monitor/show_state.h"

enum look_which { LOOK_12, LOOK_02, LOOK_01 };

/* The VMCS of that kind. NULL, or why there is none, in words. */
const char *look_vmcs(struct monitor *monitor, struct vcpu *vcpu, enum look_which which, struct view *view);
/* The one that L1 or L2 runs with. */
void look_running(struct monitor *monitor, struct vcpu *vcpu, struct view *view);

struct state look_state(const struct vcpu *vcpu);
struct live_registers look_registers(const struct vcpu *vcpu);
void look_counts(struct vcpu *vcpu, struct exit_counts *counts);

/* The tables that go with a VMCS of that kind. NULL, or why there are none. */
const char *look_ept(const struct vcpu *vcpu, enum look_which which, const struct view *vmcs, struct ept_view *ept);
