/* SPDX-License-Identifier: MIT */
/*
 * The machine-check registers of this processor on the console: drivers/mca.h
 * has the words. For the machine-check handler and exits that tell of one, so
 * it allocates nothing and waits for nobody without a bound.
 */
#pragma once

#include "drivers/mca.h"

void mca_read(struct mca_state *state);

/* `where` completes "machine check ...". */
void mca_print(const struct mca_state *state, const char *where);
