/* SPDX-License-Identifier: MIT */
/*
 * COM1 by port I/O: 115200 8N1, polled, no interrupts. Every wait is bounded,
 * so a machine without the port still runs to its end.
 */
#include "tests/guests/lib/serial.h"

#include "tests/guests/lib/ops.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define HOLDING_EMPTY 0x20
#define ALL_EMPTY 0x40
#define WAIT_LIMIT 1000000

static void wait_for(u8 status)
{
	for (u32 i = 0; i < WAIT_LIMIT && !(in8(LINE_STATUS) & status); i++)
		;
}

void serial_init(void)
{
	serial_drain();
	out8(COM1 + 1, 0x00);
	out8(COM1 + 3, 0x80);
	out8(COM1 + 0, 1);
	out8(COM1 + 1, 0);
	out8(COM1 + 3, 0x03);
	out8(COM1 + 2, 0x07);
	out8(COM1 + 4, 0x03);
}

static void put(char c)
{
	wait_for(HOLDING_EMPTY);
	out8(COM1, (u8)c);
}

void serial_puts(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

void serial_drain(void)
{
	wait_for(ALL_EMPTY);
}

/* Bochs ends on the word at port 0x8900, QEMU on its ACPI power port. */
_Noreturn void machine_end(void)
{
	serial_drain();
	for (const char *word = "Shutdown"; *word; word++)
		out8(0x8900, (u8)*word);
	__asm__ volatile("outw %0, %1" : : "a"((u16)0x2000), "Nd"((u16)0x604));
	for (;;)
		__asm__ volatile("cli; hlt");
}
