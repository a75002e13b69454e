/* SPDX-License-Identifier: MIT */
/* The two packed files inside the UEFI application (packed.asm), and how the first stage calls the second. */
#pragma once

#include <efi.h>

#include "boot/uefi/unpack.h"

struct packed_file {
	u64 size, sum, packed_size;
	u8 bytes[];
};

/* Nothing is as long: a length above it is damaged. So near behind the application is memory that can be read. */
#define PACKED_LIMIT (UINT64_C(4) << 20)

static inline bool packed_is_whole(const struct packed_file *file)
{
	return file->size <= PACKED_LIMIT && file->packed_size <= PACKED_LIMIT &&
	       unpack_sum(file->bytes, file->packed_size, file->size) == file->sum;
}

/* Of the application itself: the loader has no symbol in common with it. */
extern const struct packed_file kernel_packed __attribute__((visibility("hidden")));
extern const struct packed_file loader_packed __attribute__((visibility("hidden")));

/* The loader's memory, of which it must not need more; a page's multiple. */
#define LOADER_ROOM UINT64_C(0x40000)

/*
 * The loader's entry point; it may keep `kernel`, not what it is called with otherwise. EFI_TIMEOUT: a processor may yet run
 * in its pages.
 */
typedef EFI_STATUS (*loader_entry)(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct packed_file *kernel);

EFI_STATUS loader_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct packed_file *kernel);
