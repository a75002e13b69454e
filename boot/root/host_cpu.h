/* SPDX-License-Identifier: MIT */
/*
 * Turns a CPU that runs in the firmware's world into one that runs in L0's: GS
 * base, descriptor tables, control registers, page tables.
 */
#pragma once

#include "boot/root/cpu_area.h"

/* Stacks of their own, for what may come on a broken or busy stack. */
enum ist { IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_COUNT };

/* Step one: GS base and this CPU's tables; from here on log_*() and faults work. */
void host_cpu_enter(struct cpu_area *area);

/* Step two: control registers and L0's page tables. The firmware's memory is now in the direct map. */
void host_cpu_switch_paging(u64 cr3);
