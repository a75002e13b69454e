/* SPDX-License-Identifier: MIT */
/*
 * L2's virtual task priority and L1's TPR threshold: what an access to VTPR does
 * and when VM entry would refuse. SDM "TPR Virtualization", "VM-Execution Control
 * Fields". Reads and writes the virtual-APIC page in L1's memory, no VMCS. Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/nested/vmcs12.h"

/* The field of CR8: bits 7:4 of VTPR, of which the threshold's bits 3:0 are the measure. */
u8 task_priority_class(const struct vmcs12 *vmcs12, const struct l1_memory *memory);
/* Is that class below the threshold, so that VM entry would fail? */
bool task_priority_is_refused(const struct vmcs12 *vmcs12, u8 priority_class);

/* Is IA32_X2APIC_TPR VTPR for L2? */
bool task_priority_has_msr(const struct vmcs12 *vmcs12);
/* MOV to CR8, by the exit qualification. SDM "Exit Qualification for Control-Register Accesses". */
bool task_priority_is_move_to_cr8(u64 qualification);

/* What L2 moves to CR8, or writes to the MSR; false: #GP, nothing is written. */
bool task_priority_write_cr8(const struct vmcs12 *vmcs12, const struct l1_memory *memory, u64 value);
bool task_priority_write_msr(const struct vmcs12 *vmcs12, const struct l1_memory *memory, u64 value);
