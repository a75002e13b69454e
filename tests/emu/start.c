// SPDX-License-Identifier: MIT
/*
 * UEFI application: starts another image of the same volume with load options, as Testudo's loader does, but bare.
 *
 * \EFI\BOOT\start.cfg has the image's path in its first line and the options in its second. Both ways a Linux kernel is started by the same
 * firmware calls, so that instruction counts can be compared. Must not do anything else to the machine.
 */
#include <efi.h>

#define LONGEST 1024

static EFI_SYSTEM_TABLE *system_table;
static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID device_path_guid = DEVICE_PATH_PROTOCOL;

static void say(const CHAR16 *text)
{
	system_table->ConOut->OutputString(system_table->ConOut, (CHAR16 *)text);
}

/* Reads the settings and splits them in place: path and options as wide strings. */
static EFI_STATUS read_settings(EFI_HANDLE volume, CHAR16 *path, CHAR16 *options)
{
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs;
	EFI_FILE_PROTOCOL *root, *file;
	static char text[2 * LONGEST];
	UINTN size = sizeof text, i = 0, n = 0;
	EFI_STATUS status = system_table->BootServices->HandleProtocol(volume, &file_system_guid, (void **)&fs);

	if (EFI_ERROR(status))
		return status;
	status = fs->OpenVolume(fs, &root);
	if (EFI_ERROR(status))
		return status;
	status = root->Open(root, &file, L"\\EFI\\BOOT\\start.cfg", EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(status))
		return status;
	status = file->Read(file, &size, text);
	file->Close(file);
	root->Close(root);
	if (EFI_ERROR(status))
		return status;

	while (i < size && text[i] != '\n' && n < LONGEST - 1)
		path[n++] = (CHAR16)text[i++];
	path[n] = 0;
	n = 0;
	for (i++; i < size && text[i] != '\n' && n < LONGEST - 1; i++)
		options[n++] = (CHAR16)text[i];
	options[n] = 0;
	return EFI_SUCCESS;
}

/* The volume's device path with the file's path appended: what LoadImage asks for. */
static EFI_STATUS make_device_path(EFI_HANDLE volume, const CHAR16 *path, EFI_DEVICE_PATH_PROTOCOL **made)
{
	EFI_DEVICE_PATH_PROTOCOL *of_volume, *node;
	UINTN head, length = 0;
	UINT8 *to;
	EFI_STATUS status = system_table->BootServices->HandleProtocol(volume, &device_path_guid, (void **)&of_volume);

	if (EFI_ERROR(status))
		return status;
	for (node = of_volume; !IsDevicePathEnd(node); node = NextDevicePathNode(node))
		;
	head = (UINTN)((UINT8 *)node - (UINT8 *)of_volume);
	while (path[length])
		length++;
	length = (length + 1) * sizeof(CHAR16);
	status = system_table->BootServices->AllocatePool(EfiLoaderData, head + 4 + length + 4, (void **)&to);
	if (EFI_ERROR(status))
		return status;
	system_table->BootServices->CopyMem(to, of_volume, head);
	node = (EFI_DEVICE_PATH_PROTOCOL *)(to + head);
	node->Type = MEDIA_DEVICE_PATH;
	node->SubType = MEDIA_FILEPATH_DP;
	SetDevicePathNodeLength(node, 4 + length);
	system_table->BootServices->CopyMem(to + head + 4, (void *)path, length);
	SetDevicePathEndNode((EFI_DEVICE_PATH_PROTOCOL *)(to + head + 4 + length));
	*made = (EFI_DEVICE_PATH_PROTOCOL *)to;
	return EFI_SUCCESS;
}

static EFI_STATUS start(EFI_HANDLE self)
{
	static CHAR16 path[LONGEST], options[LONGEST];
	EFI_LOADED_IMAGE_PROTOCOL *own, *other;
	EFI_DEVICE_PATH_PROTOCOL *device_path;
	EFI_HANDLE image;
	EFI_BOOT_SERVICES *bs = system_table->BootServices;
	EFI_STATUS status = bs->HandleProtocol(self, &loaded_image_guid, (void **)&own);
	UINTN length = 0;

	if (!EFI_ERROR(status))
		status = read_settings(own->DeviceHandle, path, options);
	if (!EFI_ERROR(status))
		status = make_device_path(own->DeviceHandle, path, &device_path);
	if (!EFI_ERROR(status))
		status = bs->LoadImage(FALSE, self, device_path, NULL, 0, &image);
	if (!EFI_ERROR(status))
		status = bs->HandleProtocol(image, &loaded_image_guid, (void **)&other);
	if (EFI_ERROR(status))
		return status;
	while (options[length])
		length++;
	other->LoadOptions = options;
	other->LoadOptionsSize = (UINT32)((length + 1) * sizeof(CHAR16));
	say(L"start: ");
	say(path);
	say(L"\r\n");
	return bs->StartImage(image, NULL, NULL);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_STATUS status;

	system_table = table;
	status = start(self);
	if (EFI_ERROR(status))
		say(L"start: the image was not started: no start.cfg, a wrong path, or it returned an error\r\n");
	return status;
}
