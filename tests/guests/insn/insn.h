/* SPDX-License-Identifier: MIT */
/* The groups of instruction tests; main.c runs them in order. */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"

#define VMFAIL_INVALID OUTCOME_FAIL_INVALID
#define VMFAIL(n) (OUTCOME_FAIL_VALID | (n))
#define FAULT(vector) (OUTCOME_EXCEPTION | (vector))

/* VM-instruction errors, SDM "VM Instruction Error Numbers" */
#define ERROR_VMCALL_IN_ROOT 1
#define ERROR_VMCLEAR_ADDRESS 2
#define ERROR_VMCLEAR_VMXON_POINTER 3
#define ERROR_VMLAUNCH_NOT_CLEAR 4
#define ERROR_VMRESUME_NOT_LAUNCHED 5
#define ERROR_VMPTRLD_ADDRESS 9
#define ERROR_VMPTRLD_VMXON_POINTER 10
#define ERROR_VMPTRLD_REVISION 11
#define ERROR_UNSUPPORTED_FIELD 12
#define ERROR_READ_ONLY_FIELD 13
#define ERROR_VMXON_IN_ROOT 15
#define ERROR_MOV_SS 26
#define ERROR_INVALIDATION_OPERAND 28

/* What lies beyond the identity tables, and what no address may look like. */
#define UNMAPPED (9ull << 30)
#define NON_CANONICAL 0x8000000000000000ull
#define BEYOND_PHYSICAL_WIDTH BIT(51)

/* The region vmx_on() used last. */
extern u64 vmxon_region;
extern u64 read_only_page;

void group_outside(void);
void group_vmxon(void);
void group_pointers(void);
void group_fields(void);
void group_operands(void);
void group_memory_rights(void);
void group_debug(void);
void group_machine(void);
void group_machine_control(void);
void group_machine_in_root(void);
void group_user_mode(void);
void group_launch(void);
void group_invalidate(void);
void group_entry_controls(void);
void group_entry_host(void);
void group_entry_guest(void);
void group_entry_segments(void);
void group_entry_each(void);
void group_entry_modes(void);
void group_entry_features(void);
void group_entry_protection(void);
void group_entry_msr(void);
void group_unwind(void);

extern const u8 l2_done[];
