/* SPDX-License-Identifier: MIT */
/* From the configured place to the 16550 that is there. */
#pragma once

#include "boot/uefi/loader.h"
#include "drivers/uart.h"

/*
 * Finds it and sets its speed. NULL, or why there is none, with the cure;
 * uart->at.kind is CONSOLE_NONE then. `path`: of the PCI device, or NULL.
 */
const char *console_port_open(const struct loader *loader, struct uart *uart, EFI_DEVICE_PATH **path);
