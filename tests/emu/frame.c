/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: makes 64 bytes of Bochs' frame buffer look like the registers
 * of a 16550 in memory, eight bytes apart, as no emulator here has one. Bochs
 * keeps there what is written, so tests/guests/console can see what L0 does.
 */
#include <efi.h>

#include "arch/types.h"

#define FRAME_BUFFER 0xe0000000
#define STRIDE 8
#define REGISTERS 8
#define LINE_CONTROL 3
#define LINE_STATUS 5

/* Bochs' VBE extension: registers by index. */
enum { VBE_INDEX = 0x1ce, VBE_DATA = 0x1cf };

static const u16 mode[][2] = { { 1, 640 }, { 2, 480 }, { 3, 8 }, { 4, 0x41 } };

static void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	volatile u8 *registers = (volatile u8 *)(UINTN)FRAME_BUFFER;

	(void)self, (void)table;
	for (UINTN i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		out16(VBE_INDEX, mode[i][0]);
		out16(VBE_DATA, mode[i][1]);
	}
	for (UINTN i = 0; i < REGISTERS * STRIDE; i++)
		registers[i] = 0;
	registers[LINE_CONTROL * STRIDE] = 0x03;
	registers[LINE_STATUS * STRIDE] = 0x60;
	return registers[LINE_STATUS * STRIDE] == 0x60 ? EFI_SUCCESS : EFI_UNSUPPORTED;
}
