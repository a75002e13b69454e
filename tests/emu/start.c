// SPDX-License-Identifier: MIT
/*
 * UEFI application: starts another image of the same volume with load options, as Testudo's loader does, but bare.
 *
 * \EFI\BOOT\start.cfg has the image's path in its first line and the options in its second. Both ways a Linux kernel is started by the same
 * firmware calls, so that instruction counts can be compared. Must not do anything else to the machine.
 */
#include "tests/emu/lib/volume.h"

#define LONGEST 1024

static CHAR16 path[LONGEST], options[LONGEST];

/* Widens one line of the settings and returns where the next begins. */
static UINTN take_line(const char *text, UINTN i, UINTN size, CHAR16 *to)
{
	UINTN n = 0;

	for (; i < size && text[i] != '\n' && n < LONGEST - 1; i++)
		to[n++] = (CHAR16)text[i];
	to[n] = 0;
	return i + 1;
}

static EFI_STATUS start(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	struct volume volume;
	char *text;
	UINTN size, next;
	EFI_STATUS status = volume_open(&volume, self, table);

	if (!EFI_ERROR(status))
		status = volume_read(&volume, L"\\EFI\\BOOT\\start.cfg", (void **)&text, &size);
	if (EFI_ERROR(status))
		return status;
	next = take_line(text, 0, size, path);
	take_line(text, next, size, options);
	table->ConOut->OutputString(table->ConOut, L"start: ");
	table->ConOut->OutputString(table->ConOut, path);
	table->ConOut->OutputString(table->ConOut, L"\r\n");
	return volume_start(&volume, path, options);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_STATUS status = start(self, table);

	if (EFI_ERROR(status))
		table->ConOut->OutputString(table->ConOut, L"start: the image was not started: no start.cfg, a wrong path, or it"
							   L" returned an error\r\n");
	return status;
}
