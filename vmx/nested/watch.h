/* SPDX-License-Identifier: MIT */
/*
 * Much of the state that an exit loads for L1 L1 itself changes about never: descriptor tables, LDTR, TR, a few
 * MSRs. While they are watched, the instructions that could change them exit, so that vmcs01 is known to
 * have them; the first of those to come ends the watch, and is carried out by the processor as ever.
 */
#pragma once

#include "vmx/nested/nested.h"

/* Bring-up. False: the block is used up. */
bool watch_init(struct vcpu *vcpu) must_check;

/* vmcs01, which is current, has just been given all that is watched. Does nothing while L1 uses such instructions often. */
void watch_begin(struct vcpu *vcpu);

/* An exit of L1 by a descriptor-table instruction, or WRMSR: is it the watch's? It is over then, and L1 only has to be resumed. */
bool watch_ends_by_tables(struct vcpu *vcpu);
bool watch_ends_by_msr(struct vcpu *vcpu, u32 msr);
