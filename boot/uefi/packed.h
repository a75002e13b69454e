/* SPDX-License-Identifier: MIT */
/* The two packed files inside the UEFI application (packed.asm), and how the first stage calls the second. */
#pragma once

#include <efi.h>

#include "arch/types.h"

struct packed_file {
	u64 size, packed_size;
	u8 bytes[];
};

/* Of the application itself: the loader has no symbol in common with it. */
extern const struct packed_file kernel_packed __attribute__((visibility("hidden")));
extern const struct packed_file loader_packed __attribute__((visibility("hidden")));

/* The loader's memory, of which it must not need more; a page's multiple. */
#define LOADER_ROOM UINT64_C(0x40000)

/* The loader's entry point; it may keep `kernel`, not what it is called with otherwise. */
typedef EFI_STATUS (*loader_entry)(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct packed_file *kernel);

EFI_STATUS loader_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct packed_file *kernel);
