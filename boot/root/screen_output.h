/* SPDX-License-Identifier: MIT */
/*
 * L0's lines on the firmware's screen, up to ExitBootServices: then L1 owns it.
 */
#pragma once

#include "boot/handoff.h"

/* On L0's page tables, on each CPU; the first one does it. Without a screen nothing happens. */
void screen_output_open(const struct handoff *handoff);
