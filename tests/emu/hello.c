/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: the smallest L1. Tells on COM1 which load options it was
 * given and which hypervisor CPUID shows, and ends the machine.
 *
 * Tests of the loader start it and read its lines. Must need nothing of the
 * firmware but its own loaded image.
 */
#include <efi.h>
#include <stdint.h>

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Waits for the whole UART to be empty: nothing may be lost when the machine ends. */
static void put(char c)
{
	out(0x3f8, (uint8_t)c);
	while (!(in(0x3fd) & 0x40))
		__asm__ volatile("pause");
}

static void say(const char *text)
{
	while (*text)
		put(*text++);
}

static void say_options(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE_PROTOCOL *image;

	say("hello: options \"");
	if (!EFI_ERROR(table->BootServices->HandleProtocol(self, &loaded_image_guid, (void **)&image))) {
		const CHAR16 *options = image->LoadOptions;

		for (UINTN i = 0; i < image->LoadOptionsSize / 2 && options[i]; i++)
			put(options[i] < 0x80 ? (char)options[i] : '?');
	}
	say("\"\r\n");
}

static void say_hypervisor(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;
	uint32_t words[4] = { 0 };

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	words[0] = b;
	words[1] = c;
	words[2] = d;
	say("hello: hypervisor \"");
	/* Without a hypervisor the leaf is some other leaf's data. */
	for (const char *p = (const char *)words; *p; p++)
		put(*p >= ' ' && *p < 0x7f ? *p : '?');
	say("\"\r\n");
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	say_options(self, table);
	say_hypervisor();
	for (const char *c = "Shutdown"; *c; c++)
		out(0x8900, (uint8_t)*c);
	return EFI_SUCCESS;
}
