/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of the root kernel's image lie: symbols of linker.ld.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

extern hidden const u8 image_start[];
extern hidden const u8 image_text_end[];
extern hidden const u8 image_rodata_end[];
extern hidden const u8 image_end[];
