/* SPDX-License-Identifier: MIT */
/*
 * Where the loader's lines go: the configured serial port and the firmware's
 * screens. A line appears once on each.
 */
#pragma once

#include "arch/compiler.h"
#include "boot/uefi/loader.h"

/* Before it, lines go to the firmware's console alone. */
void output_open(const struct loader *loader);

/* What L0 is to write to, and how. */
void output_console(struct handoff_console *console);

/* For those who want to know (log is not quiet). */
void say(const char *format, ...) printf_like(1, 2);
/* For everyone. */
void tell(const char *format, ...) printf_like(1, 2);
/* For everyone: something is wrong. */
void complain(const char *format, ...) printf_like(1, 2);

/* As it is, for everyone. At most a line. */
void output_text(const char *text);

/* A byte from the serial port, if there is one; 0 in place of one that came in damaged. */
bool output_receive(char *c);

/* From now on lines also go to `to`, as far as there is room. */
void output_copy(char *to, size_t size);
/* How many bytes are there. */
size_t output_copied(void);

/* Time to read: the firmware may clear the screen next. A key ends it early. */
void wait_for_reader(const struct loader *loader);
