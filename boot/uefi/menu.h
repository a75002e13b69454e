/* SPDX-License-Identifier: MIT */
/*
 * Which entry of the configuration is started: as the load options say, the
 * only one, or what is chosen in a menu before its time is up.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Brings the chosen entry into force. An error: there is nothing to start, and that was said. */
EFI_STATUS choose_entry(struct loader *loader);
