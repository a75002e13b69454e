/* SPDX-License-Identifier: MIT */
/*
 * EPT01: what L1 takes for physical memory. Identity with the largest pages,
 * memory types from the MTRRs, and L0's block replaced by the scratch page.
 * One for all CPUs; built once, only its memory types change later.
 */
#pragma once

#include "arch/compiler.h"
#include "vmx/machine.h"

/*
 * Builds EPT01 for machine->memory and machine->hardware, with the MTRRs of
 * this CPU; sets machine->ept01 and machine->eptp01. False: no page left.
 */
bool ept01_build(struct machine *machine) must_check;

/*
 * This CPU's MTRRs were written: if they are enabled, memory gets the types that
 * they now say, and what this CPU cached of EPT01 is dropped in any case. The rule
 * for several CPUs is in docs/architecture.md, "Memory types": EPT01 follows the
 * last CPU that wrote, and every CPU drops its own. A list that loads MTRRs at a VM
 * entry or exit of L1's comes here at the next exit.
 */
void ept01_mtrrs_changed(struct ept01 *ept01);

/* At bring-up of a CPU: says on the console when its MTRRs are not those that EPT01 follows. */
void ept01_compare_mtrrs(struct ept01 *ept01);

/*
 * L1 touched an address that was not worth tables at bring-up (beyond
 * 2^EPT01_EAGER_BITS). False when there is nothing more to map, or no page.
 */
bool ept01_map_more(struct ept01 *ept01, l1_gpa_t address) must_check;

#define EPT01_EAGER_BITS 46
