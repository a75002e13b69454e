/* SPDX-License-Identifier: MIT */
/*
 * The 16550: see drivers/uart.h. No interrupts, no receive side. Waiting is
 * bounded, so that a UART that vanished costs time but no hang.
 */
#include "drivers/uart.h"

#include "arch/ops.h"

enum { UART_DATA = 0, UART_DIVISOR_LOW = 0, UART_DIVISOR_HIGH = 1, UART_FIFO = 2, UART_LINE_CONTROL = 3,
       UART_MODEM_CONTROL = 4, UART_LINE_STATUS = 5 };

#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR 0x80
#define LINE_STATUS_TRANSMITTER_EMPTY 0x20
#define MODEM_CONTROL_DTR_RTS 0x03
#define FIFO_ENABLE_AND_CLEAR 0x07
#define WAIT_LIMIT 1000000u

bool uart_init(u16 base, u32 baud)
{
	u32 divisor;

	/* An absent device floats to ones; bit 7 of a live one means an error in the FIFO. */
	if (in8((u16)(base + UART_LINE_STATUS)) == 0xff)
		return false;
	if (baud == 0)
		return true;
	divisor = 115200 / baud;
	if (divisor == 0)
		divisor = 1;
	out8((u16)(base + UART_LINE_CONTROL), LINE_CONTROL_8N1 | LINE_CONTROL_DIVISOR);
	out8((u16)(base + UART_DIVISOR_LOW), (u8)divisor);
	out8((u16)(base + UART_DIVISOR_HIGH), (u8)(divisor >> 8));
	out8((u16)(base + UART_LINE_CONTROL), LINE_CONTROL_8N1);
	out8((u16)(base + UART_FIFO), FIFO_ENABLE_AND_CLEAR);
	out8((u16)(base + UART_MODEM_CONTROL), MODEM_CONTROL_DTR_RTS);
	return true;
}

static void wait_for_room(u16 base)
{
	for (u32 i = 0; i < WAIT_LIMIT; i++) {
		if (in8((u16)(base + UART_LINE_STATUS)) & LINE_STATUS_TRANSMITTER_EMPTY)
			return;
		cpu_pause();
	}
}

void uart_write(u16 base, const char *text, size_t length)
{
	/* L1 may be in the middle of setting the speed: then port 0 is not the data register. */
	u8 line_control = in8((u16)(base + UART_LINE_CONTROL));
	bool divisor_shown = (line_control & LINE_CONTROL_DIVISOR) != 0;

	if (divisor_shown)
		out8((u16)(base + UART_LINE_CONTROL), (u8)(line_control & ~LINE_CONTROL_DIVISOR));
	for (size_t i = 0; i < length; i++) {
		wait_for_room(base);
		out8((u16)(base + UART_DATA), (u8)text[i]);
	}
	if (divisor_shown)
		out8((u16)(base + UART_LINE_CONTROL), line_control);
}
