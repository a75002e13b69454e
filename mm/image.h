/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of the root kernel's image lie: symbols of linker.ld.
 */
#pragma once

#include "arch/types.h"

extern const u8 image_start[];
extern const u8 image_text_end[];
extern const u8 image_rodata_end[];
extern const u8 image_end[];
