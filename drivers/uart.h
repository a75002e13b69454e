/* SPDX-License-Identifier: MIT */
/*
 * A 16550 behind I/O ports, polled. L1 may use the same one: what we touch of
 * its registers is put back after every text. L1 on another processor may be at it
 * in that moment; then bytes go astray, and a port of L0's own is the cure.
 */
#pragma once

#include "arch/types.h"

/* False when nothing answers there. baud 0 leaves speed and format alone. */
bool uart_init(u16 base, u32 baud);

void uart_write(u16 base, const char *text, size_t length);
