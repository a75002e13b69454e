/* SPDX-License-Identifier: MIT */
/*
 * Records a vCPU's exits in its ring (vmx/trace_ring.h) while nested->tracing is set. It watches: no
 * exit is handled otherwise because of it, and while it is off it costs nothing.
 */
#pragma once

#include "vmx/vcpu.h"

/* CPUID leaf that reads the ring; L1's exits for it are not recorded. */
#define TRACE_CPUID_LEAF 0x40000006

/* Bring-up, after nested_init(): the ring, if the handoff asks for one, and starts it. False: the block is used up. */
bool trace_prepare(struct vcpu *vcpu) must_check;

/* From any processor; nothing where there is no ring. A start leaves what was recorded before. */
void trace_start(struct vcpu *vcpu);
void trace_stop(struct vcpu *vcpu);
bool trace_is_on(const struct vcpu *vcpu);

/* The lines of docs/tracing.md on L0's console. For a true picture stop it before. */
void trace_dump(const struct vcpu *vcpu);
/* The last few transitions, in words: a panic's part. */
void trace_dump_last(void);

/*
 * The running VMCS has exited: takes down what is known now, and leaves nested->tracing unset for the quick way, until
 * trace_resume(). False: tracing has been stopped.
 */
bool trace_exit(struct vcpu *vcpu);
void trace_resume(struct vcpu *vcpu);
/* It is about to be entered again, or what L1 goes on with. Nothing after the first time for an exit. */
void trace_entry(struct vcpu *vcpu, enum trace_way way);
/* The processor has refused that entry: L0 is not done with the exit. */
void trace_entry_failed(struct vcpu *vcpu);
