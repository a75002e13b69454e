/* SPDX-License-Identifier: MIT */
/*
 * Last words. A panic is always our bug (or broken hardware), never something
 * that a guest did. Upper levels register what they can tell about the state.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

/* Prints what it knows by log_error(); must not panic, allocate or take locks. */
typedef void panic_dumper(void);

/* At most 4; registering is idempotent. */
void panic_register_dumper(panic_dumper *dumper);

/* How the other CPUs are stopped; set by whoever can reach the APIC. */
typedef void panic_stopper(void);
void panic_set_stopper(panic_stopper *stopper);

/* What is done in place of halting. */
typedef void panic_last_act(void);
void panic_set_last_act(panic_last_act *act);

/* Prints the message and all dumps, stops the other CPUs, halts this one. */
noreturn void panic(const char *format, ...) printf_like(1, 2);

/*
 * Why no guest is to go on, in one word for every exit to ask, as INIT or SIPI makes the other CPUs
 * exit: panics are counted in the lower half, and vmx/stop.h has a bit of the upper one.
 */
extern hidden u64 stop_reasons;

#define STOP_FOR_PANIC UINT64_C(0xffffffff)

/* Has a CPU panicked? */
static inline bool panic_is_active(void)
{
	return (__atomic_load_n(&stop_reasons, __ATOMIC_RELAXED) & STOP_FOR_PANIC) != 0;
}

/* For a CPU that finds another one's panic: says so, and halts. And how many have. */
noreturn void panic_stop_here(void);
u32 panic_stopped_count(void);

/* cli; hlt, for ever. */
noreturn void halt_forever(void);

/* In release builds too. */
#define assert(condition) ((condition) ? (void)0 : panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__))
