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
 * This CPU's MTRRs were written: gives memory the types that they now say, and
 * drops what this CPU cached of EPT01. (L1 must write the MTRRs of every
 * CPU alike, so every CPU comes here.)
 */
void ept01_mtrrs_changed(struct ept01 *ept01);

/*
 * L1 touched an address that was not worth tables at bring-up (beyond
 * 2^EPT01_EAGER_BITS). False when there is nothing more to map, or no page.
 */
bool ept01_map_more(struct ept01 *ept01, l1_gpa_t address) must_check;

#define EPT01_EAGER_BITS 46
