// SPDX-License-Identifier: MIT
/*
 * UEFI application: gives the firmware the ACPI tables that OVMF has not in Bochs, then starts \EFI\BOOT\next.efi.
 *
 * It makes a MADT of the processors that MP Services knows, and installs each file of \EFI\BOOT\acpi as one table more: the firmware
 * computes their checksums and links FADT, DSDT and FACS. Without a MADT Linux uses one processor. And it sees to it that all processors
 * survive the end of boot services (lib/sipi_again.h) and then rest (lib/rest.h). Must not do anything else.
 */
#include "boot/uefi/mp_services.h"
#include "tests/emu/lib/madt.h"
#include "tests/emu/lib/rest.h"
#include "tests/emu/lib/sipi_again.h"
#include "tests/emu/lib/volume.h"

#define FOLDER L"\\EFI\\BOOT\\acpi"
#define NEXT L"\\EFI\\BOOT\\next.efi"

/* EFI_ACPI_TABLE_PROTOCOL, of the UEFI specification: gnu-efi does not have it. */
struct acpi_table_protocol {
	EFI_STATUS (EFIAPI *install)(struct acpi_table_protocol *this, void *table, UINTN size, UINTN *key);
	void *uninstall;
};

static EFI_GUID acpi_table_guid = { 0xffe06bdd, 0x6107, 0x46a6, { 0x7b, 0xb2, 0x5a, 0x9c, 0x7e, 0xc5, 0x27, 0x5c } };
static EFI_GUID mp_services_guid = MP_SERVICES_GUID;

static EFI_SYSTEM_TABLE *system_table;
static struct acpi_table_protocol *acpi;

static void say(const CHAR16 *text)
{
	system_table->ConOut->OutputString(system_table->ConOut, (CHAR16 *)text);
}

static void say_number(UINTN number)
{
	CHAR16 digits[21], *at = digits + 20;

	*at = 0;
	do {
		*--at = (CHAR16)(L'0' + number % 10);
	} while (number /= 10);
	say(at);
}

/* Says what went wrong, with the number of the status, and passes it on. */
static EFI_STATUS failed(const CHAR16 *what, EFI_STATUS status)
{
	say(L"tables: ");
	say(what);
	say(L" (status ");
	say_number(status & ~EFI_ERROR_MASK);
	say(L")\r\n");
	return status;
}

/* The I/O APIC tells its own ID, through its index and data registers. */
static UINT8 io_apic_id(void)
{
	volatile UINT32 *registers = (volatile UINT32 *)(UINTN)MADT_IO_APIC_ADDRESS;

	registers[0] = 0;
	return (UINT8)(registers[4] >> 24);
}

static EFI_STATUS install_madt(void)
{
	static UINT8 table[MADT_SIZE];
	struct mp_services *mp;
	struct processor_information about;
	struct madt madt;
	UINTN count, enabled, key;
	EFI_STATUS status = system_table->BootServices->LocateProtocol(&mp_services_guid, NULL, (void **)&mp);

	if (EFI_ERROR(status))
		return failed(L"the firmware has no MP Services", status);
	status = mp->get_count(mp, &count, &enabled);
	if (EFI_ERROR(status))
		return failed(L"MP Services do not count the processors", status);
	madt_begin(&madt, table);
	for (UINTN i = 0; i < count; i++) {
		status = mp->get_information(mp, i, &about);
		if (EFI_ERROR(status))
			return failed(L"MP Services do not know a processor that they counted", status);
		if (!madt_add_processor(&madt, (UINT32)i, (UINT32)about.apic_id, about.status & PROCESSOR_IS_ENABLED))
			return failed(L"there are more processors than the MADT has room for", EFI_OUT_OF_RESOURCES);
	}
	madt_end(&madt, io_apic_id(), 2); /* as every PC's chipset has it */
	status = acpi->install(acpi, table, madt.length, &key);
	if (EFI_ERROR(status))
		return failed(L"the firmware does not take the MADT", status);
	status = sipi_again(system_table->BootServices, count);
	if (EFI_ERROR(status))
		return failed(L"the firmware lets nobody wait for the end of boot services", status);
	rest_after_boot_services(system_table);
	say(L"tables: MADT of ");
	say_number(count);
	say(L" processor(s)\r\n");
	return EFI_SUCCESS;
}

static EFI_STATUS install_file(struct volume *volume, EFI_FILE_PROTOCOL *folder, CHAR16 *name)
{
	EFI_FILE_PROTOCOL *file;
	void *table;
	UINTN size, key;
	EFI_STATUS status = folder->Open(folder, &file, name, EFI_FILE_MODE_READ, 0);

	if (!EFI_ERROR(status)) {
		status = volume_read_open(volume, file, &table, &size);
		file->Close(file);
	}
	if (!EFI_ERROR(status)) {
		status = acpi->install(acpi, table, size, &key);
		volume->boot->FreePool(table);
	}
	say(L"tables: ");
	say(name);
	say(EFI_ERROR(status) ? L":\r\n" : L"\r\n");
	return EFI_ERROR(status) ? failed(L"is no table of the length that its header states", status) : status;
}

/* Each file of the folder, in the order in which they stand there; no folder is no error. */
static EFI_STATUS install_files(struct volume *volume)
{
	static union file_info entry;
	EFI_FILE_PROTOCOL *folder;
	UINTN size;
	EFI_STATUS status = volume->root->Open(volume->root, &folder, FOLDER, EFI_FILE_MODE_READ, 0);

	if (status == EFI_NOT_FOUND)
		return EFI_SUCCESS;
	while (!EFI_ERROR(status)) {
		size = sizeof entry;
		status = folder->Read(folder, &size, &entry);
		if (EFI_ERROR(status) || size == 0)
			break;
		if (!(entry.info.Attribute & EFI_FILE_DIRECTORY))
			status = install_file(volume, folder, entry.info.FileName);
	}
	return status;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	struct volume volume;
	EFI_STATUS status;

	system_table = table;
	status = table->BootServices->LocateProtocol(&acpi_table_guid, NULL, (void **)&acpi);
	if (EFI_ERROR(status))
		return failed(L"the firmware has no EFI_ACPI_TABLE_PROTOCOL", status);
	status = install_madt();
	if (EFI_ERROR(status))
		return status;
	status = volume_open(&volume, self, table);
	if (!EFI_ERROR(status))
		status = install_files(&volume);
	if (EFI_ERROR(status))
		return failed(L"the tables of " FOLDER L" cannot be read or installed", status);
	status = volume_start(&volume, NEXT, NULL);
	return EFI_ERROR(status) ? failed(NEXT L" cannot be started, or has returned", status) : status;
}
