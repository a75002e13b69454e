/* SPDX-License-Identifier: MIT */
/*
 * The end of L1: what a processor does in shutdown is seen by the platform,
 * which resets the machine. L0 does so in its place.
 */
#pragma once

#include "arch/compiler.h"

/* Says why, then resets the machine. */
noreturn void shutdown(const char *why);
