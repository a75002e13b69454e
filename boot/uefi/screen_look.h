/* SPDX-License-Identifier: MIT */
/*
 * What the kernel needs to write on the firmware's screen: place, font, and how it
 * finds out that the screen is no longer the firmware's.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Into the handoff. Without a screen or a font there is no text, and no error. */
void look_for_screen(struct loader *loader);
