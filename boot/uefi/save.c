/* SPDX-License-Identifier: MIT */
/*
 * Writes one file by the firmware's file system. All of it or nothing: half a
 * file would be taken for a whole one.
 */
#include "boot/uefi/save.h"

#include "boot/uefi/text.h"

#define PATH_UNITS 64

static EFI_GUID file_system_protocol = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

/* An older file may be longer. */
static void delete_old(EFI_FILE *root, u16 *name)
{
	EFI_FILE *file;

	if (!EFI_ERROR(root->Open(root, &file, (CHAR16 *)name, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, 0)))
		file->Delete(file);
}

static EFI_STATUS write_new(EFI_FILE *root, u16 *name, const void *bytes, UINTN size)
{
	UINTN written = size;
	EFI_FILE *file;
	EFI_STATUS status = root->Open(root, &file, (CHAR16 *)name, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE, 0);

	if (EFI_ERROR(status))
		return status;
	status = file->Write(file, &written, (void *)(uintptr_t)bytes);
	if (!EFI_ERROR(status) && written == size)
		status = file->Flush(file);
	else if (!EFI_ERROR(status))
		status = EFI_VOLUME_FULL;
	if (EFI_ERROR(status))
		file->Delete(file);
	else
		file->Close(file);
	return status;
}

/* Cause and cure. */
static const char *words_for(EFI_STATUS status)
{
	switch (status) {
	case EFI_SUCCESS: return NULL;
	case EFI_WRITE_PROTECTED: return "the volume is write-protected; cure: take that away, or start Testudo from another volume";
	case EFI_VOLUME_FULL: return "the volume is full; cure: delete something there, 64 KB are enough";
	case EFI_NOT_FOUND: return "there is no such folder on the volume; cure: make it";
	case EFI_ACCESS_DENIED: return "the file there is only for reading; cure: delete it";
	default: return "the firmware could not write it; cure: another volume, or the lines on the serial port";
	}
}

const char *save_file(const struct loader *loader, const char *path, const void *bytes, UINTN size)
{
	static u16 name[PATH_UNITS];
	EFI_FILE_IO_INTERFACE *volume;
	EFI_FILE *root;
	EFI_STATUS status;

	if (!loader->self->DeviceHandle ||
	    EFI_ERROR(loader->boot->HandleProtocol(loader->self->DeviceHandle, &file_system_protocol, (void **)&volume)) ||
	    EFI_ERROR(volume->OpenVolume(volume, &root)))
		return "Testudo was not started from a volume with files; cure: read the lines on the serial port";
	text_to_ucs2(name, PATH_UNITS, path);
	delete_old(root, name);
	status = write_new(root, name, bytes, size);
	root->Close(root);
	return words_for(status);
}
