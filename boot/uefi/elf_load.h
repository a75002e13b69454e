/* SPDX-License-Identifier: MIT */
/*
 * Places a static position-independent ELF in memory: PT_LOAD segments and relative
 * relocations, also in their compact form (DT_RELR), every offset checked. Pure: bytes in, bytes
 * out. Returns NULL, or what is wrong in plain words.
 */
#pragma once

#include "arch/types.h"

struct elf_image {
	u64 size;	/* bytes in memory, page aligned, .bss included */
	u64 entry;	/* offset of the entry point from the image's base */
};

/* Reads the headers only. */
const char *elf_measure(const u8 *file, u64 file_size, struct elf_image *image);

/*
 * Copies the image to `memory` (zeroed here, at least image->size bytes) and
 * relocates it to run at address `base`.
 */
const char *elf_place(const u8 *file, u64 file_size, const struct elf_image *image, u8 *memory, u64 base);
