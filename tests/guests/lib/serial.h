/* SPDX-License-Identifier: MIT */
/* COM1 by port I/O, and the end of the machine. */
#pragma once

void serial_init(void);
void serial_puts(const char *text);
void serial_drain(void);
_Noreturn void machine_end(void);
