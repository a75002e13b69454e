/* SPDX-License-Identifier: MIT */
/* The setting `check`: tells what is on this machine and what is not, and goes back to the firmware. */
#pragma once

#include "boot/uefi/loader.h"

EFI_STATUS check_and_return(struct loader *loader);
