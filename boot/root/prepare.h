/* SPDX-License-Identifier: MIT */
/*
 * What the first CPU prepares for all: pages, stacks, page tables. Runs on the
 * firmware's stack and tables, before anything can be printed.
 */
#pragma once

#include "boot/handoff.h"
#include "boot/root/cpu_area.h"

/* Called by entry.asm on each CPU. Returns enum launch_status. */
u64 root_prepare(const struct handoff *handoff, u32 cpu_index, u64 *stack_top);

/* Afterwards: this CPU's area, and its CR3. */
struct cpu_area *root_cpu_area(u32 cpu_index);
u64 root_cr3(bool la57);
/* To be called on L0's page tables: from here on phys_to_ptr() reaches all memory. */
void root_open_direct_map(const struct handoff *handoff);
