/* SPDX-License-Identifier: MIT */
/*
 * What the firmware starts: unpacks the loader proper, which is packed as the
 * kernel is, and calls it. So it must be small, and needs no more of UEFI than
 * memory that code may run from. The loader's pages are given back when it returns, unless a
 * processor may still come back to them.
 */
#include "boot/uefi/elf_load.h"
#include "boot/uefi/executable.h"
#include "boot/uefi/packed.h"
#include "boot/uefi/unpack.h"

#define PAGE UINT64_C(4096)

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

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

/* The file is unpacked behind the place where it will be an image. Returns the image's pages, which hold both; 0 without success. */
static u64 place(EFI_BOOT_SERVICES *boot, struct elf_image *loader, EFI_PHYSICAL_ADDRESS *base)
{
	u64 count = pages(LOADER_ROOM) + pages(loader_packed.size);
	const u8 *file;

	if (!packed_is_whole(&loader_packed) || EFI_ERROR(boot->AllocatePages(AllocateAnyPages, EfiLoaderCode, count, base)))
		return 0;
	file = (const u8 *)(uintptr_t)(*base + LOADER_ROOM);
	if (unpack(loader_packed.bytes, loader_packed.packed_size, (u8 *)(uintptr_t)file, loader_packed.size) == loader_packed.size &&
	    !elf_measure(file, loader_packed.size, loader) && loader->size <= LOADER_ROOM &&
	    !elf_place(file, loader_packed.size, loader, (u8 *)(uintptr_t)*base, *base))
		return count;
	boot->FreePages(*base, count);
	return 0;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct elf_image loader;
	EFI_PHYSICAL_ADDRESS base = 0;
	EFI_STATUS status;
	u64 count = place(system->BootServices, &loader, &base);

	if (!count)
		return refuse(system, damaged);
	if (make_executable(system->BootServices, base, LOADER_ROOM))
		status = ((loader_entry)(uintptr_t)(base + loader.entry))(image, system, &kernel_packed);
	else
		status = refuse(system, not_executable);
	if (status != EFI_TIMEOUT)
		system->BootServices->FreePages(base, count);
	return status;
}
