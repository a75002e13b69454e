/* SPDX-License-Identifier: MIT */
/*
 * How a panicking CPU stops the others: INIT (and SIPI), which make a CPU in VMX
 * non-root operation exit to L0, where vmx/ finds that a panic is active, and halts
 * in root operation. Any other CPU would restart, the boot processor the machine.
 */
#pragma once

#include "arch/types.h"

/* Is this CPU in VMX operation? To be told whenever that changes. */
void stop_cpus_note(bool in_vmx_operation);

/* Waits a bounded time for them, and says how many have stopped. */
void stop_other_cpus(void);
