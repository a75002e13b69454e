// SPDX-License-Identifier: MIT
/*
 * A 16550 that only transmits: the console of the guest, with the probing and the interrupt that Linux' 8250 driver needs.
 *
 * A character is sent the moment it is written, so the transmitter is always empty. Its interrupt is raised when the driver asks for it
 * and after each character, until the driver has read the reason. Must not receive: nobody types into this machine.
 */
#include "vmm.h"

#include <stdio.h>

#define UART_IRQ 4

enum { DATA = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7 };
enum { IER_TRANSMIT = 1 << 1, LCR_DIVISOR = 1 << 7, MCR_LOOP = 1 << 4 };
enum { IIR_NONE = 1, IIR_TRANSMIT = 2, IIR_FIFO = 0xc0 };
enum { LSR_IDLE = 0x60 }; /* transmitter and holding register empty */

static int transmit_interrupt(const struct uart *uart)
{
	return (uart->ier & IER_TRANSMIT) && uart->transmit_pending;
}

/* The interrupt line follows the state; the kernel hears only of changes. */
static void update_irq(struct uart *uart, struct vm *vm)
{
	int level = transmit_interrupt(uart);

	if (level == uart->irq_level)
		return;
	uart->irq_level = level;

	struct kvm_irq_level line = { .irq = UART_IRQ, .level = (uint32_t)level };

	vm_ioctl(vm->fd, KVM_IRQ_LINE, &line, "KVM_IRQ_LINE");
}

static void transmit(struct uart *uart, uint8_t value)
{
	if (!(uart->mcr & MCR_LOOP)) {
		putchar(value);
		if (value == '\n')
			fflush(stdout);
	}
	uart->transmit_pending = 1;
}

void uart_write(struct uart *uart, struct vm *vm, unsigned int reg, uint8_t value)
{
	int divisor = uart->lcr & LCR_DIVISOR;

	if (divisor && reg <= IER) {
		uart->divisor[reg] = value;
		return;
	}
	switch (reg) {
	case DATA:
		transmit(uart, value);
		break;
	case IER:
		if (!(uart->ier & IER_TRANSMIT) && (value & IER_TRANSMIT))
			uart->transmit_pending = 1;
		uart->ier = value & 0x0f;
		break;
	case IIR_FCR:
		uart->fifo_on = value & 1;
		break;
	case LCR:
		uart->lcr = value;
		break;
	case MCR:
		uart->mcr = value & 0x1f;
		break;
	case SCRATCH:
		uart->scratch = value;
		break;
	}
	update_irq(uart, vm);
}

/* In loop mode the modem's outputs come back as its inputs: Linux tells a real UART by that. */
static uint8_t modem_status(const struct uart *uart)
{
	uint8_t m = uart->mcr;

	if (!(m & MCR_LOOP))
		return 0xb0; /* carrier, data set ready, clear to send */
	return (uint8_t)((m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4);
}

static uint8_t interrupt_identification(struct uart *uart)
{
	uint8_t iir = uart->fifo_on ? IIR_FIFO : 0;

	if (!transmit_interrupt(uart))
		return iir | IIR_NONE;
	uart->transmit_pending = 0; /* to read the reason is to acknowledge it */
	return iir | IIR_TRANSMIT;
}

uint8_t uart_read(struct uart *uart, struct vm *vm, unsigned int reg)
{
	uint8_t value = 0;

	if ((uart->lcr & LCR_DIVISOR) && reg <= IER)
		return uart->divisor[reg];
	switch (reg) {
	case IER:
		value = uart->ier;
		break;
	case IIR_FCR:
		value = interrupt_identification(uart);
		break;
	case LCR:
		value = uart->lcr;
		break;
	case MCR:
		value = uart->mcr;
		break;
	case LSR:
		value = LSR_IDLE;
		break;
	case MSR:
		value = modem_status(uart);
		break;
	case SCRATCH:
		value = uart->scratch;
		break;
	}
	update_irq(uart, vm);
	return value;
}
