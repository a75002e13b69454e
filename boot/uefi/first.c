/* SPDX-License-Identifier: MIT */
/*
 * What the firmware starts: unpacks the loader proper and the kernel, and calls
 * the loader. All that is not packed is here, so it must be small, needs no more of UEFI than
 * memory that code may run from, and has nothing to relocate. The pages are given back when the loader returns, unless a
 * processor may still come back to them.
 */
#include "boot/uefi/executable.h"
#include "boot/uefi/packed.h"
#include "boot/uefi/unpack.h"

#define PAGE UINT64_C(4096)

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static CHAR16 damaged[] = u"testudo: the packed loader is damaged, or there is no memory for it\r\n";
static CHAR16 not_executable[] = u"testudo: the firmware maps loaders' memory non-executable and offers no way to change that; "
				 u"look for \"memory protection\" or \"NX\" in its setup and turn it off\r\n";

static EFI_STATUS refuse(EFI_SYSTEM_TABLE *system, CHAR16 *words)
{
	if (system->ConOut)
		system->ConOut->OutputString(system->ConOut, words);
	return EFI_LOAD_ERROR;
}

static u64 pages(u64 size)
{
	return (size + PAGE - 1) / PAGE;
}

/* The files are unpacked behind the place where the loader will be an image. Returns the pages of all; 0 without success. */
static u64 place(EFI_BOOT_SERVICES *boot, struct elf_image *loader, EFI_PHYSICAL_ADDRESS *base)
{
	u64 count = pages(LOADER_ROOM) + pages(packed_files.size);
	u8 *files;

	if (!packed_is_whole(&packed_files) || EFI_ERROR(boot->AllocatePages(AllocateAnyPages, EfiLoaderCode, count, base)))
		return 0;
	files = (u8 *)(uintptr_t)(*base + LOADER_ROOM);
	if (unpack(packed_files.bytes, packed_files.packed_size, files, packed_files.size) == packed_files.size &&
	    !elf_measure(files, packed_files.loader_size, loader) && loader->size <= LOADER_ROOM &&
	    !elf_place(files, packed_files.loader_size, loader, (u8 *)(uintptr_t)*base, *base))
		return count;
	boot->FreePages(*base, count);
	return 0;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct elf_image loader;
	EFI_PHYSICAL_ADDRESS base = 0;
	EFI_STATUS status;
	u64 count = place(system->BootServices, &loader, &base);
	const struct first_stage first = {
		.kernel = (const u8 *)(uintptr_t)(base + LOADER_ROOM + packed_files.loader_size),
		.kernel_size = packed_files.size - packed_files.loader_size, .measure = elf_measure, .place = elf_place,
	};

	if (!count)
		return refuse(system, damaged);
	if (make_executable(system->BootServices, base, LOADER_ROOM))
		status = ((loader_entry)(uintptr_t)(base + loader.entry))(image, system, &first);
	else
		status = refuse(system, not_executable);
	if (status != EFI_TIMEOUT)
		system->BootServices->FreePages(base, count);
	return status;
}
