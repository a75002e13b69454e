/* SPDX-License-Identifier: MIT */
/*
 * The VMX capabilities that L1 is shown: what hardware has and controls.def
 * offers, never more than L0 implements. SDM Appendix "VMX Capability
 * Reporting Facility". Pure.
 */
#pragma once

#include "vmx/caps.h"

/* Takes out of the processor's capabilities what L1 is not to see of them: bit n of `hide` stands for row n of boot/hide.def. */
void caps12_hide(struct vmx_caps *hardware, u64 hide);

/* Is L1 shown a processor with VMX at all? CR4.VMXE can be set only then. */
bool caps12_has_vmx(const struct vmx_caps *offered);

void caps12_derive(struct vmx_caps *offered, const struct vmx_caps *hardware);

/*
 * L1's RDMSR of IA32_FEATURE_CONTROL, and of IA32_VMX_BASIC and those that
 * follow. False: no such MSR on the processor L1 is shown (#GP).
 */
bool caps12_rdmsr(const struct vmx_caps *offered, u32 msr, u64 *value) must_check;
