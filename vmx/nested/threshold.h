/* SPDX-License-Identifier: MIT */
/*
 * A TPR threshold that VM entry would not take. VTPR is L1's memory, and may be L2's
 * own, or another processor's: a plain write may bring it below the threshold while L2
 * runs, which is no exit. But VM entry fails for it, also one that L0 makes after an exit of
 * which L1 knows nothing. Then vmcs02 gets the threshold that VTPR still meets, and until
 * the next exit to L1 it is L0 that carries out what changes VTPR by way of the processor.
 */
#pragma once

#include "vmx/vcpu.h"

/* An entry of L2 that L0 made has failed: true if that was the reason, and the next one is to be tried. */
bool threshold_yields(struct vcpu *vcpu) must_check;

/* Is that so now? */
bool threshold_is_watched(const struct vcpu *vcpu);

/* L0 has carried out a write to VTPR: L1 has its exit if it is below the threshold. */
void threshold_judge(struct vcpu *vcpu);

/* L1 has an exit: the next merge puts the fields right. */
void threshold_forget(struct vcpu *vcpu);
