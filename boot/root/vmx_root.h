/* SPDX-License-Identifier: MIT */
/*
 * Into VMX root operation and out of it. SDM "Enabling and Entering VMX
 * Operation".
 */
#pragma once

#include "boot/root/cpu_area.h"

/* Sets and locks IA32_FEATURE_CONTROL if the firmware left it open, then VMXON. CR4.VMXE is set already. */
enum launch_status vmx_root_enter(struct cpu_area *area) must_check;

/* VMXOFF: after a launch that failed. */
void vmx_root_leave(void);
