/* SPDX-License-Identifier: MIT */
/*
 * Where the console's 16550 is, in words of the configuration. Pure.
 */
#pragma once

#include "boot/uefi/config_keys.h"

/* Room for config_console_text. */
#define CONFIG_CONSOLE_TEXT 48

/* False when it is none of the forms, or a place where no 16550 can be; nothing is changed then. */
bool config_console_parse(struct span value, struct config_console *console);

/* As it would stand in the file. */
void config_console_text(const struct config_console *console, char *out, size_t size);

/* 1 to 4 for the port of COM1 to COM4, else 0. */
u32 config_com_of(u64 port);
