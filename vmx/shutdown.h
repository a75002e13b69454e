/* SPDX-License-Identifier: MIT */
/*
 * The end of L1: shutdown, which the platform would see and answer with a reset, and an INIT
 * of the bootstrap processor, which starts the firmware anew. L0 resets the machine in its place.
 */
#pragma once

#include "arch/compiler.h"

/* Says why, then resets the machine. */
noreturn void shutdown(const char *why);
/* Without a word. */
noreturn void machine_reset(void);
