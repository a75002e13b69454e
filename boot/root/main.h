/* SPDX-License-Identifier: MIT */
/*
 * The root kernel's C entry on each CPU.
 */
#pragma once

#include "boot/handoff.h"
#include "boot/root/launch_frame.h"

/* Called by entry.asm; returns an enum launch_status other than LAUNCH_OK. */
u64 root_main(const struct handoff *handoff, u32 cpu_index, const struct launch_frame *frame);
