/* SPDX-License-Identifier: MIT */
/*
 * The 16550: see drivers/uart.h. No interrupts. Waiting is bounded, so that a
 * UART that vanished costs time but no hang.
 */
#include "drivers/uart.h"

#include "arch/compiler.h"
#include "drivers/line_style.h"

static_assert(sizeof(LINE_RED) == sizeof(LINE_GREY), "colours are of one length");

#define FIFO_ENABLE_AND_CLEAR 0x07
/* Tries: a second or so. A byte takes 0.2 s at 50 baud. */
#define PATIENCE 1000000u

u8 uart_get(const struct uart *uart, enum uart_register reg)
{
	u64 address = uart->at.base + (u64)reg * uart->at.stride;

	if (uart->at.kind != CONSOLE_MEMORY_16550)
		return uart_port_read((u16)address);
	if (uart->at.width == 4)
		return (u8)*(const volatile u32 *)(uintptr_t)address;
	return *(const volatile u8 *)(uintptr_t)address;
}

void uart_put(const struct uart *uart, enum uart_register reg, u8 value)
{
	u64 address = uart->at.base + (u64)reg * uart->at.stride;

	if (uart->at.kind != CONSOLE_MEMORY_16550)
		uart_port_write((u16)address, value);
	else if (uart->at.width == 4)
		*(volatile u32 *)(uintptr_t)address = value;
	else
		*(volatile u8 *)(uintptr_t)address = value;
}

bool uart_answers(const struct uart *uart)
{
	/* An absent device floats to ones; bit 7 of a live one means an error in the FIFO. */
	return uart->at.kind != CONSOLE_NONE && uart_get(uart, UART_LINE_STATUS) != 0xff;
}

bool uart_prepare(const struct uart *uart, u32 baud)
{
	u8 control = uart_get(uart, UART_LINE_CONTROL);
	u32 divisor;

	uart_put(uart, UART_LINE_CONTROL, control | LINE_CONTROL_DIVISOR);
	if (uart_get(uart, UART_LINE_CONTROL) != (control | LINE_CONTROL_DIVISOR)) {
		uart_put(uart, UART_LINE_CONTROL, control);
		return false;
	}
	divisor = uart_get(uart, UART_DIVISOR_LOW) | (u32)uart_get(uart, UART_DIVISOR_HIGH) << 8;
	if (baud == 0 && divisor != 0 && (control & LINE_CONTROL_FORMAT) == LINE_CONTROL_8N1) {
		uart_put(uart, UART_LINE_CONTROL, LINE_CONTROL_8N1);
		return true;
	}
	divisor = baud == 0 ? 1 : UART_MAX_BAUD / baud;
	uart_put(uart, UART_DIVISOR_LOW, (u8)divisor);
	uart_put(uart, UART_DIVISOR_HIGH, (u8)(divisor >> 8));
	uart_put(uart, UART_LINE_CONTROL, LINE_CONTROL_8N1);
	uart_put(uart, UART_INTERRUPTS, 0);
	uart_put(uart, UART_FIFO, FIFO_ENABLE_AND_CLEAR);
	uart_put(uart, UART_MODEM_CONTROL, MODEM_CONTROL_DTR_RTS);
	return true;
}

static bool has_room(struct uart *uart)
{
	for (u32 i = 0; i < (uart->stuck ? 1 : PATIENCE); i++) {
		if (uart_get(uart, UART_LINE_STATUS) & LINE_STATUS_ROOM) {
			uart->stuck = false;
			return true;
		}
		__builtin_ia32_pause();
	}
	uart->stuck = true;
	return false;
}

void uart_write(struct uart *uart, const char *text, size_t length)
{
	u8 line_control;

	if (uart->at.kind == CONSOLE_NONE)
		return;
	/* L1 may be in the middle of setting the speed: then register 0 is not the data. */
	line_control = uart_get(uart, UART_LINE_CONTROL);
	if (line_control & LINE_CONTROL_DIVISOR)
		uart_put(uart, UART_LINE_CONTROL, (u8)(line_control & ~LINE_CONTROL_DIVISOR));
	for (size_t i = 0; i < length && has_room(uart); i++)
		uart_put(uart, UART_DATA, (u8)text[i]);
	if (line_control & LINE_CONTROL_DIVISOR)
		uart_put(uart, UART_LINE_CONTROL, line_control);
}

void uart_write_line(struct uart *uart, const char *colour, const char *line, size_t length)
{
	static const char end[] = LINE_PLAIN "\r\n";

	if (colour == NULL) {
		uart_write(uart, line, length);
		return;
	}
	uart_write(uart, colour, sizeof(LINE_RED) - 1);
	uart_write(uart, line, length - 2);
	uart_write(uart, end, sizeof(end) - 1);
}

bool uart_receive(const struct uart *uart, u8 *byte)
{
	u8 status;

	/* Register 0 is not the data while L1 sets the speed. One that has gone away reads as ones. */
	if (uart->at.kind == CONSOLE_NONE || (uart_get(uart, UART_LINE_CONTROL) & LINE_CONTROL_DIVISOR))
		return false;
	status = uart_get(uart, UART_LINE_STATUS);
	if (!(status & LINE_STATUS_BYTE) || status == 0xff)
		return false;
	*byte = uart_get(uart, UART_DATA);
	if (status & LINE_STATUS_BYTE_ERRORS)
		*byte = 0;
	return true;
}
