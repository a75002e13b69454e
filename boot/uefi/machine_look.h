/* SPDX-License-Identifier: MIT */
/*
 * The machine check on the processor that the loader runs on.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Fills loader->machine and loader->faults. */
void look_at_machine(struct loader *loader);
/* The processor that calls it; no other state is touched, so that any may. */
void look_at_processor(struct machine *machine);
/* Names every fault with its cause and cure. */
void complain_of_machine(const struct loader *loader);
