/* SPDX-License-Identifier: MIT */
/*
 * Files of the volume that an application of the tests was started from, and starting another image of it.
 *
 * Of the firmware it needs boot services and the volume's own protocols. Must not print anything: the application knows what to say.
 */
#pragma once

#include <efi.h>

struct volume {
	EFI_BOOT_SERVICES *boot;
	EFI_HANDLE self;   /* the application */
	EFI_HANDLE handle; /* of the volume */
	EFI_FILE_PROTOCOL *root;
};

/* What a file's name and size need, and what reading a folder gives. */
union file_info {
	EFI_FILE_INFO info;
	UINT8 bytes[1024];
};

EFI_STATUS volume_open(struct volume *volume, EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

/* Reads an open file to its end into the pool. */
EFI_STATUS volume_read_open(struct volume *volume, EFI_FILE_PROTOCOL *file, void **data, UINTN *size);
EFI_STATUS volume_read(struct volume *volume, const CHAR16 *path, void **data, UINTN *size);

/* Loads the image and starts it with load options (NULL for none); returns when it does, or when it could not be loaded. */
EFI_STATUS volume_start(struct volume *volume, const CHAR16 *path, CHAR16 *options);
