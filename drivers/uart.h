/* SPDX-License-Identifier: MIT */
/*
 * A 16550 behind I/O ports or in memory, polled; the loader and L0 use it alike.
 * L1 may use the same one: what we touch of its registers is put back after
 * every text. L1 on another processor may be at it in that moment; then bytes go
 * astray, and a port of L0's own is the cure. Pure.
 */
#pragma once

#include "arch/types.h"
#include "boot/handoff.h"

/* Those of one number differ by LINE_CONTROL_DIVISOR. */
enum uart_register { UART_DATA = 0, UART_DIVISOR_LOW = 0, UART_INTERRUPTS = 1, UART_DIVISOR_HIGH = 1, UART_FIFO = 2,
		     UART_LINE_CONTROL = 3, UART_MODEM_CONTROL = 4, UART_LINE_STATUS = 5, UART_REGISTERS = 8 };

#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_FORMAT 0x3f
#define LINE_CONTROL_DIVISOR 0x80
#define INTERRUPTS_BYTE 0x01
#define MODEM_CONTROL_DTR_RTS 0x03
#define MODEM_CONTROL_LOOP 0x10
#define LINE_STATUS_BYTE 0x01
#define LINE_STATUS_BYTE_ERRORS 0x1e		/* overrun, parity, framing, break */
#define LINE_STATUS_ROOM 0x20
/* A register file in memory lies below: where canonical addresses of 48 bits have their lower half's end. */
#define UART_ADDRESS_END (UINT64_C(1) << 47)
#define UART_MAX_BAUD 115200u			/* with a clock of 1.8432 MHz */

struct uart {
	struct handoff_uart at;		/* of kind CONSOLE_NONE: every text is lost */
	bool stuck;				/* it has kept us waiting in vain, and is waited for no more until it has room */
};

/* How many bytes of ports or memory it takes from at->base on. */
static inline u64 uart_span(const struct handoff_uart *at)
{
	return (u64)at->stride * (UART_REGISTERS - 1) + at->width;
}

u8 uart_get(const struct uart *uart, enum uart_register reg);
void uart_put(const struct uart *uart, enum uart_register reg, u8 value);

/* Is there something at all? Changes nothing. */
bool uart_answers(const struct uart *uart);

/*
 * To `baud` and 8N1; baud 0 leaves what the firmware has set, and gives 115200 to
 * one that nobody has set up. False when it does not behave as a 16550.
 */
bool uart_prepare(const struct uart *uart, u32 baud);

/* What does not get out in bounded time is dropped. */
void uart_write(struct uart *uart, const char *text, size_t length);

/* A line that ends in "\r\n", in a colour of line_style.h, or in none: NULL. */
void uart_write_line(struct uart *uart, const char *colour, const char *line, size_t length);

/* A byte, if there is one; 0 in place of one that came in damaged. */
bool uart_receive(const struct uart *uart, u8 *byte);

/* The seam to the ports: uart_port.c, or a test. */
u8 uart_port_read(u16 port);
void uart_port_write(u16 port, u8 value);
