/* SPDX-License-Identifier: MIT */
/*
 * L1's own exceptions and interrupts. A guard is a place to come back to: an
 * exception while one is set returns from guard_enter() a second time.
 */
#pragma once

#include "tests/guests/lib/types.h"

struct guard {
	u64 rbx, rbp, r12, r13, r14, r15, rsp, rip; /* guard_save in traps.asm */
	struct guard *outer;
	u32 vector;
	u32 error_code;
	bool trapped;
	u64 trap_rip;
};

struct trap_frame {
	u64 rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
	u64 vector, error_code, rip, cs, rflags, rsp, ss;
};

u64 guard_save(struct guard *g) __attribute__((returns_twice));
_Noreturn void guard_resume(struct guard *g);

/* A macro, because what returns twice must do so into the caller's frame. */
#define guard_enter(g) (guard_push(g), guard_save(g))

void guard_push(struct guard *g);
void guard_leave(struct guard *g);
_Noreturn void guard_raise(struct guard *g);

/* Called by the stubs in traps.asm. */
void trap_handler(struct trap_frame *frame);

/* How often each vector arrived in L1, on this processor, since the last reset, NMI included. */
u32 traps_count(u8 vector);
void traps_reset(void);
/* The same for another processor, from its own start on. */
u32 traps_count_on(u32 cpu, u8 vector);
/* Called for each NMI, after it is counted; may guard_raise(). */
void traps_on_nmi(void (*hook)(void));

extern const u8 trap_stubs[]; /* 256 stubs of TRAP_STUB_SIZE bytes */
#define TRAP_STUB_SIZE 16
