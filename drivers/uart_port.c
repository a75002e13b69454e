/* SPDX-License-Identifier: MIT */
/*
 * The I/O instructions under drivers/uart.c. Nothing else belongs here: host
 * tests put a register file in its place.
 */
#include "arch/ops.h"
#include "drivers/uart.h"

u8 uart_port_read(u16 port)
{
	return in8(port);
}

void uart_port_write(u16 port, u8 value)
{
	out8(port, value);
}
