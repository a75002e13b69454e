/* SPDX-License-Identifier: MIT */
/*
 * What Testudo said in the last boot, where a warm reset has left it in memory.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Finds the last boot's lines and, as the configuration has it, tells or saves them. Before any block is taken. */
void tell_last_log(struct loader *loader);

/* Makes this boot's ring at the start of the block; the kernel writes it. */
void begin_log(const struct loader *loader);
