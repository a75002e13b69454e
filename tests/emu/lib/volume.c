// SPDX-License-Identifier: MIT
/*
 * See volume.h. The other image's device path begins with that of this volume, so the firmware gives it the same device handle: it finds
 * its own files where this application has its.
 */
#include "tests/emu/lib/volume.h"

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID device_path_guid = DEVICE_PATH_PROTOCOL;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

EFI_STATUS volume_open(struct volume *volume, EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_LOADED_IMAGE_PROTOCOL *image;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs;
	EFI_STATUS status;

	volume->boot = table->BootServices;
	volume->self = self;
	status = volume->boot->HandleProtocol(self, &loaded_image_guid, (void **)&image);
	if (EFI_ERROR(status))
		return status;
	volume->handle = image->DeviceHandle;
	status = volume->boot->HandleProtocol(volume->handle, &file_system_guid, (void **)&fs);
	return EFI_ERROR(status) ? status : fs->OpenVolume(fs, &volume->root);
}

EFI_STATUS volume_read_open(struct volume *volume, EFI_FILE_PROTOCOL *file, void **data, UINTN *size)
{
	static union file_info about;
	UINTN length = sizeof about;
	EFI_STATUS status = file->GetInfo(file, &file_info_guid, &length, &about);

	if (EFI_ERROR(status))
		return status;
	*size = about.info.FileSize;
	status = volume->boot->AllocatePool(EfiLoaderData, *size, data);
	return EFI_ERROR(status) ? status : file->Read(file, size, *data);
}

EFI_STATUS volume_read(struct volume *volume, const CHAR16 *path, void **data, UINTN *size)
{
	EFI_FILE_PROTOCOL *file;
	EFI_STATUS status = volume->root->Open(volume->root, &file, (CHAR16 *)path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(status))
		return status;
	status = volume_read_open(volume, file, data, size);
	file->Close(file);
	return status;
}

/* The volume's device path with the file's path appended: what LoadImage asks for. */
static EFI_STATUS make_device_path(struct volume *volume, const CHAR16 *path, EFI_DEVICE_PATH_PROTOCOL **made)
{
	EFI_DEVICE_PATH_PROTOCOL *of_volume, *node;
	UINTN head, length = 0;
	UINT8 *to;
	EFI_STATUS status = volume->boot->HandleProtocol(volume->handle, &device_path_guid, (void **)&of_volume);

	if (EFI_ERROR(status))
		return status;
	for (node = of_volume; !IsDevicePathEnd(node); node = NextDevicePathNode(node))
		;
	head = (UINTN)((UINT8 *)node - (UINT8 *)of_volume);
	while (path[length])
		length++;
	length = (length + 1) * sizeof(CHAR16);
	status = volume->boot->AllocatePool(EfiLoaderData, head + 4 + length + 4, (void **)&to);
	if (EFI_ERROR(status))
		return status;
	volume->boot->CopyMem(to, of_volume, head);
	node = (EFI_DEVICE_PATH_PROTOCOL *)(to + head);
	node->Type = MEDIA_DEVICE_PATH;
	node->SubType = MEDIA_FILEPATH_DP;
	SetDevicePathNodeLength(node, 4 + length);
	volume->boot->CopyMem(to + head + 4, (void *)path, length);
	SetDevicePathEndNode((EFI_DEVICE_PATH_PROTOCOL *)(to + head + 4 + length));
	*made = (EFI_DEVICE_PATH_PROTOCOL *)to;
	return EFI_SUCCESS;
}

EFI_STATUS volume_start(struct volume *volume, const CHAR16 *path, CHAR16 *options)
{
	EFI_LOADED_IMAGE_PROTOCOL *image;
	EFI_DEVICE_PATH_PROTOCOL *device_path;
	EFI_HANDLE handle;
	UINTN length = 0;
	EFI_STATUS status = make_device_path(volume, path, &device_path);

	if (EFI_ERROR(status))
		return status;
	status = volume->boot->LoadImage(FALSE, volume->self, device_path, NULL, 0, &handle);
	volume->boot->FreePool(device_path);
	if (!EFI_ERROR(status))
		status = volume->boot->HandleProtocol(handle, &loaded_image_guid, (void **)&image);
	if (EFI_ERROR(status))
		return status;
	if (options) {
		while (options[length])
			length++;
		image->LoadOptions = options;
		image->LoadOptionsSize = (UINT32)((length + 1) * sizeof(CHAR16));
	}
	return volume->boot->StartImage(handle, NULL, NULL);
}
