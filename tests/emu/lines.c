/* SPDX-License-Identifier: MIT */
/*
 * UEFI application: an L1 that has L0 say a line (a VM entry that is refused), then takes the screen, by ExitBootServices
 * or with the load option `mode` by SetMode, and has L0 say another.
 */
#include <efi.h>
#include <stdint.h>

#define IA32_FEATURE_CONTROL 0x3a
#define IA32_VMX_BASIC 0x480
#define IA32_VMX_PINBASED_CTLS 0x481
#define CR4_VMXE 0x2000
#define PIN_BASED_CONTROLS 0x4000

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

static _Alignas(4096) uint8_t vmxon_region[4096], vmcs[4096];

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void say(const char *text)
{
	uint8_t status;

	for (; *text; text++) {
		__asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)0x3f8));
		do {
			__asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((uint16_t)0x3fd));
		} while (!(status & 0x40));
	}
}

/* With a VMCS that is empty. */
static void enter_vmx(void)
{
	uint64_t region = (uintptr_t)vmxon_region, address = (uintptr_t)vmcs, cr4;

	*(uint32_t *)(void *)vmxon_region = *(uint32_t *)(void *)vmcs = (uint32_t)rdmsr(IA32_VMX_BASIC);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_VMXE));
	__asm__ volatile("vmxon %0; vmclear %1; vmptrld %1" : : "m"(region), "m"(address) : "memory", "cc");
}

/* Refused because of this field; L0 says so. */
static void launch(uint64_t pin_based)
{
	__asm__ volatile("vmwrite %1, %0; vmlaunch" : : "r"((uint64_t)PIN_BASED_CONTROLS), "r"(pin_based) : "memory", "cc");
}

static int has_option(EFI_HANDLE self, EFI_SYSTEM_TABLE *table, CHAR16 first)
{
	EFI_LOADED_IMAGE_PROTOCOL *image;

	return !EFI_ERROR(table->BootServices->HandleProtocol(self, &loaded_image_guid, (void **)&image)) && image->LoadOptionsSize >= 2 &&
	       *(const CHAR16 *)image->LoadOptions == first;
}

static EFI_STATUS exit_boot_services(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	static uint8_t map[65536];
	UINTN size = sizeof(map), key, step;
	UINT32 version;
	EFI_STATUS status = table->BootServices->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)(void *)map, &key, &step, &version);

	return EFI_ERROR(status) ? status : table->BootServices->ExitBootServices(self, key);
}

static EFI_STATUS set_mode(EFI_SYSTEM_TABLE *table)
{
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	EFI_STATUS status = table->BootServices->LocateProtocol(&graphics_guid, NULL, (void **)&graphics);

	return EFI_ERROR(status) ? status : graphics->SetMode(graphics, 1);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	int mode = has_option(self, table, L'm');

	enter_vmx();
	launch(0);
	if (EFI_ERROR(mode ? set_mode(table) : exit_boot_services(self, table)))
		say("lines: the screen is not taken\r\n");
	say("lines: the screen is taken\r\n");
	/* What must be 1 is, so that another rule is broken. */
	launch((uint32_t)rdmsr(IA32_VMX_PINBASED_CTLS));
	say("lines: done\r\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}
