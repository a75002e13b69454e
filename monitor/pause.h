/* SPDX-License-Identifier: MIT */
/*
 * Stops the other processors while the monitor is open (vmx/stop.h), and has them do work in turn, each with its own VMCSs at
 * hand. Nothing is forced: a processor that cannot be had is left alone, and told.
 */
#pragma once

#include "vmx/vcpu.h"

enum pause_state {
	PAUSE_STOPPED,
	PAUSE_NOT_RUNNING,	/* it runs no guest of L0's */
	PAUSE_WAITS_FOR_SIPI,	/* L1 has it wait, so there is nothing to stop */
	PAUSE_NO_APIC,		/* L1 has disabled this processor's local APIC, or the other's ID does not fit its mode */
	PAUSE_NO_ANSWER
};

/* This vCPU is about to run its guest, or does not after all. */
void pause_add(struct vcpu *vcpu);
void pause_remove(const struct vcpu *vcpu);

/* By the processor that has asked for the stop: waits a bounded time for the others. How many have stopped, of how many. */
u32 pause_others(u32 *others);

/* A processor that has come late is PAUSE_STOPPED. */
enum pause_state pause_state(u32 cpu);

/* Has `work` done there, and waits for it. The processor must be PAUSE_STOPPED. */
typedef bool pause_work(struct vcpu *vcpu, void *argument);
bool pause_do(u32 cpu, pause_work *work, void *argument);

/* The other processors' part of struct machine's stop_point: does what it is asked to, until the stop ends. */
void pause_here(struct vcpu *vcpu);
