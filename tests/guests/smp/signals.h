/* SPDX-License-Identifier: MIT */
/*
 * What the scenarios about INIT, SIPI and NMI share: the first of the other
 * processors is the target, and these words pass between it and the boot processor.
 */
#pragma once

#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"

#define TARGET 1u

#define L2(name) extern const u8 l2_##name[]
L2(signal_once); L2(signal_spin); L2(signal_cpuid); L2(signal_irets); L2(signal_iret_once);
#undef L2

struct signals {
	volatile u32 round;    /* the target's: how far it is */
	volatile u32 go;       /* the boot processor's answer */
	volatile u32 finished; /* the boot processor's: no more to come */
	volatile u64 seen;     /* the target's own count */
	volatile u64 *counter; /* what L2 counts up in memory, where it does */
};

extern struct signals signals;

void signals_reset(void);

/* On the target: VMX operation and an L2 that counts at signals.counter. */
struct vm *signals_prepare(const u8 *code);
/* On the target: says how far it is, and spins without any exit until the boot processor has answered. */
void signals_meet(u32 round);

/* On the boot processor: waits until the target has come so far, or until L2 has counted on since. */
void signals_await(u32 round);
void signals_await_l2(u32 round);
void signals_answer(u32 round);
/* On the boot processor: long enough for a signal to arrive. */
void signals_settle(void);

/* IA32_VMX_MISC offers the wait-for-SIPI state to L2. */
bool signals_has_wait_for_sipi(void);
