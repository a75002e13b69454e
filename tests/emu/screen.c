/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: a driver of Bochs's graphics card (VBE_DISPI, with its memory at the classic address), then
 * starts \EFI\BOOT\next.efi.
 *
 * OVMF's own driver does not start on it: the PCI card in Bochs cannot be a bus master. There is one mode more than
 * can be set, so that SetMode may change the number. Blt does nothing: nobody but L0 draws in these tests.
 *
 * Bochs's display server knows only 8 bits a pixel. So the card is told of four pixels for each that the firmware hears
 * of, in lines four times as long, of which the display has the left quarter: 32 characters.
 */
#include <efi.h>
#include <stdint.h>

#include "tests/emu/lib/volume.h"

#define NEXT L"\\EFI\\BOOT\\next.efi"
#define WIDTH 1024
#define HEIGHT 768
#define MEMORY 0xe0000000u

enum { DISPI_INDEX = 0x1ce, DISPI_DATA = 0x1cf };
enum { DISPI_WIDTH = 1, DISPI_HEIGHT = 2, DISPI_BITS = 3, DISPI_ENABLE = 4, DISPI_LINE = 6 };
enum { PALETTE_INDEX = 0x3c8, PALETTE_DATA = 0x3c9 };
#define DISPI_ON_AND_LINEAR 0x41

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION information = {
	.HorizontalResolution = WIDTH, .VerticalResolution = HEIGHT,
	.PixelFormat = PixelBlueGreenRedReserved8BitPerColor, .PixelsPerScanLine = WIDTH,
};
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode = {
	.MaxMode = 2, .Info = &information, .SizeOfInfo = sizeof(information),
	.FrameBufferBase = MEMORY, .FrameBufferSize = WIDTH * HEIGHT * 4,
};

static void set(uint16_t index, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(index), "Nd"((uint16_t)DISPI_INDEX));
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"((uint16_t)DISPI_DATA));
}

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static EFI_STATUS EFIAPI query_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, UINT32 number, UINTN *size,
				    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION **info)
{
	(void)this;
	(void)number;
	(void)size;
	(void)info;
	return EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI set_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, UINT32 number)
{
	this->Mode->Mode = number;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI blt(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, EFI_GRAPHICS_OUTPUT_BLT_PIXEL *buffer,
			     EFI_GRAPHICS_OUTPUT_BLT_OPERATION operation, UINTN from_x, UINTN from_y, UINTN to_x, UINTN to_y,
			     UINTN width, UINTN height, UINTN delta)
{
	(void)this, (void)buffer, (void)operation, (void)from_x, (void)from_y, (void)to_x, (void)to_y;
	(void)width, (void)height, (void)delta;
	return EFI_SUCCESS;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	static EFI_GRAPHICS_OUTPUT_PROTOCOL graphics = { query_mode, set_mode, blt, &mode };
	EFI_HANDLE handle = NULL;
	struct volume volume;
	EFI_STATUS status;

	set(DISPI_ENABLE, 0);
	set(DISPI_WIDTH, WIDTH);
	set(DISPI_HEIGHT, HEIGHT);
	set(DISPI_BITS, 8);
	set(DISPI_ENABLE, DISPI_ON_AND_LINEAR);
	set(DISPI_LINE, 4 * WIDTH);
	out(PALETTE_INDEX, 0xff);
	for (int colour = 0; colour < 3; colour++)
		out(PALETTE_DATA, 0x3f);
	status = table->BootServices->InstallProtocolInterface(&handle, &graphics_guid, EFI_NATIVE_INTERFACE, &graphics);
	if (!EFI_ERROR(status))
		status = volume_open(&volume, self, table);
	return EFI_ERROR(status) ? status : volume_start(&volume, NEXT, NULL);
}
