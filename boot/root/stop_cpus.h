/* SPDX-License-Identifier: MIT */
/*
 * How a panicking CPU stops the others: INIT, which makes every CPU in VMX
 * non-root operation exit to L0, where vmx/ finds that a panic is active.
 */
#pragma once

void stop_other_cpus(void);
