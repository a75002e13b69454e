/* SPDX-License-Identifier: MIT */
/*
 * Help for firmware that starts its processors with a broadcast, on Testudo in Bochs.
 *
 * Bochs 3.0 hands a broadcast SIPI to the first only of the processors that wait for it in a virtual machine. OVMF sends two when boot
 * services end, and waits for all: with three other processors for ever. Must not do anything where two are enough.
 */
#pragma once

#include <efi.h>

/* When boot services end, the firmware's SIPI is sent as often again as `processors` need. */
EFI_STATUS sipi_again(EFI_BOOT_SERVICES *boot, UINTN processors);

/* Boot services have ended: no more of it, and no interrupt of ours is left for an operating system. */
void sipi_again_end(void);
