/* SPDX-License-Identifier: MIT */
/*
 * A guest hypervisor small enough to read at a sitting: one VMCS and what it
 * points to, entering L2, and the exit in the SDM's words.
 * The VMCS of the vm in use must be the current one of the processor that calls;
 * processors may work at the same time, each with a vm of its own.
 */
#pragma once

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/vmcs_fields.h"
#include "tests/guests/lib/vmx_bits.h"

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct vm {
	u64 gpr[16]; /* enter.asm; RSP is in the VMCS */
	u64 l1_rsp;  /* enter.asm */
	u64 vmcs;
	u64 code; /* where L2 began: instruction pointers are said relative to it */
	u64 ept;  /* 0: EPT is off */
	u64 page_table;
	u64 msr_bitmap;
	u64 stack_top;
	struct descriptor_tables *tables;
	u32 basic_reason; /* of the last exit */
	bool launched;
};

/* enter.asm: 0 after an exit, 1 for VMfailInvalid, 2 for VMfailValid. */
u64 vm_enter(struct vm *vm, bool launched);
extern const u8 vm_exit_point[];

/* 64-bit L2 at code: own tables and stack, EPT, timer as a watchdog, most things exit. */
struct vm *vm_create(const u8 *code);
/* The same without EPT. */
struct vm *vm_create_without_ept(const u8 *code);
/* Writes all of the current VMCS anew, as vm_create() has it. */
void vm_write_vmcs(struct vm *vm, const u8 *code);
/* L1's side of the current VMCS: what this processor needs to come back to itself. */
void vm_write_host_state(struct vm *vm);
/* Points the VMCS back to L2's first instruction, with fresh registers. */
void vm_restart(struct vm *vm, const u8 *code);

/* True when L2 ran and an exit came; otherwise says how the entry failed. */
bool vm_run(struct vm *vm);
/* vm_run() and vm_say_exit(). */
void vm_step(struct vm *vm);
/* Moves RIP past the instruction that exited. */
void vm_skip(struct vm *vm);

/* Controls: set and clear bits of the current VMCS's control fields. */
void vm_set(enum vmcs_field field, u64 bits);
void vm_clear(enum vmcs_field field, u64 bits);
/* Secondary controls, the primary ones that activate them included. */
void vm_set_secondary(u64 bits);
void vm_inject(u32 event, u32 error_code, u32 length);

/* Is a 1 of that bit allowed? */
bool pin_offers(u64 bits);
bool proc_offers(u64 bits);
bool proc2_offers(u64 bits);
bool exit_offers(u64 bits);
bool entry_offers(u64 bits);
bool ept_vpid_offers(u64 bits);

/* Drops every EPT and VPID translation the processor may still have. */
void vm_flush_all(void);
