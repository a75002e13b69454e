/* SPDX-License-Identifier: MIT */
/* The packed files inside the UEFI application (packed.asm), and how the first stage calls the second. */
#pragma once

#include <efi.h>

#include "boot/uefi/elf_load.h"
#include "boot/uefi/unpack.h"

/* The loader and, right behind it, the root kernel. */
struct packed_files {
	u64 size, loader_size, sum, packed_size;
	u8 bytes[];
};

/* Nothing is as long: a length above it is damaged. So near behind the application is memory that can be read. */
#define PACKED_LIMIT (UINT64_C(4) << 20)

static inline bool packed_is_whole(const struct packed_files *files)
{
	return files->size <= PACKED_LIMIT && files->packed_size <= PACKED_LIMIT && files->loader_size <= files->size &&
	       unpack_sum(files->bytes, files->packed_size, unpack_seed(files->size, files->loader_size)) == files->sum;
}

extern const struct packed_files packed_files __attribute__((visibility("hidden")));

/* The loader's memory, of which it must not need more; a page's multiple. */
#define LOADER_ROOM UINT64_C(0x40000)

/* What the first stage has that the loader needs, too. */
struct first_stage {
	const u8 *kernel;		/* the ELF file */
	u64 kernel_size;
	const char *(*measure)(const u8 *file, u64 file_size, struct elf_image *image);		/* elf_measure */
	const char *(*place)(const u8 *file, u64 file_size, const struct elf_image *image, u8 *memory, u64 base);
};

/*
 * The loader's entry point; what it is called with stays until it returns. EFI_TIMEOUT: a processor may yet run
 * in its pages.
 */
typedef EFI_STATUS (*loader_entry)(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct first_stage *first);

EFI_STATUS loader_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct first_stage *first);
