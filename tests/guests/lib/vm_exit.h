/* SPDX-License-Identifier: MIT */
/* An exit in words: what vm_say_exit() adds to the scenario's result. */
#pragma once

#include "tests/guests/lib/vm.h"

/* What L2's interrupt stubs leave on its stack when they do VMCALL. */
struct l2_frame {
	u64 vector, error_code, rip, cs, rflags, rsp, ss;
};

/* L2's side: l2_stubs.asm. */
extern const u8 l2_stubs[];
extern const u8 l2_stub_vmcall[];
#define L2_STUB_SIZE 16

/* The frame, if the last exit was the VMCALL of an interrupt stub; else NULL. */
struct l2_frame *vm_l2_frame(void);

void vm_say_exit(struct vm *vm);
/*
 * Every field that the SDM defines for the exit, and the guest's non-register state: reason, qualification, events, length,
 * instruction information, addresses, RIP, RFLAGS, blocking, activity, pending debug exceptions, the valid bit of injection.
 */
void vm_say_block(struct vm *vm);
/* Does the exit come before its instruction, whose length it tells? */
bool exit_has_length(u32 basic_reason);
const char *exit_reason_name(u32 basic_reason);
