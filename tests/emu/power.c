// SPDX-License-Identifier: MIT
/*
 * UEFI application: an L1 that looks for processors and sleep states as an operating system does, and then ends the machine.
 *
 * Its load options are one word, the way to end: s3, s5, cf9, keyboard, init (to the processor itself), or none. What it finds it says on
 * COM1: the processors of MP Services and of the MADT, the sleep states of the DSDT. Must not go through the firmware to end the machine.
 */
#include <efi.h>
#include <stdint.h>

#include "boot/uefi/mp_services.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);

static EFI_GUID mp_services_guid = MP_SERVICES_GUID;
static EFI_GUID acpi_20_guid = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;

/* PM1 control register: SLP_TYP in bits 12:10, SLP_EN in bit 13. The types are those of the PIIX4. */
#define SLP_EN 0x2000
#define TYPE_S3 (1 << 10)
#define TYPE_S5 (0 << 10)

#define PM1_CONTROL 4		/* from the base that the firmware has given the PIIX4's power management */
#define PIIX4_POWER 0x80000b40u	/* bus 0, device 1, function 3, register 0x40 */

/* --- ports and COM1 ----------------------------------------------------------- */

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* All of RAX, to see that IN changes no more of it than it should. */
static uint64_t in16(uint16_t port, uint64_t before)
{
	__asm__ volatile("inw %1, %%ax" : "+a"(before) : "Nd"(port));
	return before;
}

static uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Waits for the whole UART to be empty: nothing may be lost when the machine ends. */
static void put(char c)
{
	out8(0x3f8, (uint8_t)c);
	while (!(in8(0x3fd) & 0x40))
		__asm__ volatile("pause");
}

static void say(const char *text)
{
	while (*text)
		put(*text++);
}

static void say_number(uint64_t value, uint32_t base)
{
	char digits[20];
	uint32_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(digits[--count]);
}

static void say_counted(const char *before, uint64_t value, const char *after)
{
	say(before);
	say_number(value, 10);
	say(after);
}

/* --- what there is ---------------------------------------------------------------- */

static uint64_t number(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

static int is(const uint8_t *bytes, const char *text)
{
	while (*text)
		if (*bytes++ != (uint8_t)*text++)
			return 0;
	return 1;
}

static int sum_is_0(const uint8_t *table)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < number(table + 4, 4); i++)
		sum = (uint8_t)(sum + table[i]);
	return sum == 0;
}

static const uint8_t *find_table(const EFI_SYSTEM_TABLE *table, const char *signature)
{
	const uint8_t *xsdt = NULL;

	for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *entry = &table->ConfigurationTable[i];

		if (entry->VendorGuid.Data1 == acpi_20_guid.Data1 && entry->VendorGuid.Data2 == acpi_20_guid.Data2)
			xsdt = (const uint8_t *)(uintptr_t)number((const uint8_t *)entry->VendorTable + 24, 8);
	}
	for (uint64_t at = 36; xsdt && at + 8 <= number(xsdt + 4, 4); at += 8) {
		const uint8_t *found = (const uint8_t *)(uintptr_t)number(xsdt + at, 8);

		if (is(found, signature))
			return found;
	}
	return NULL;
}

static void say_mp_services(const EFI_SYSTEM_TABLE *table)
{
	struct mp_services *mp;
	UINTN count = 0, enabled = 0;

	if (EFI_ERROR(table->BootServices->LocateProtocol(&mp_services_guid, NULL, (void **)&mp)) ||
	    EFI_ERROR(mp->get_count(mp, &count, &enabled)))
		return;
	say_counted("power: MP Services: ", enabled, " of ");
	say_counted("", count, " processors enabled\r\n");
}

static void say_madt(const uint8_t *madt)
{
	if (!madt)
		return;
	say(sum_is_0(madt) ? "power: MADT: sum right" : "power: MADT: sum WRONG");
	for (uint64_t at = 44; at + 2 <= number(madt + 4, 4) && madt[at + 1]; at += madt[at + 1]) {
		int wide = madt[at] == 9;

		if (madt[at] != 0 && !wide)
			continue;
		say_counted(", APIC ID ", wide ? number(madt + at + 4, 4) : madt[at + 3], " has flags ");
		say_number(number(madt + at + (wide ? 8 : 4), 4), 10);
	}
	say("\r\n");
}

static void say_sleep_states(const uint8_t *fadt)
{
	const uint8_t *dsdt = fadt ? (const uint8_t *)(uintptr_t)number(fadt + 40, 4) : NULL;

	if (!dsdt)
		return;
	say(sum_is_0(dsdt) ? "power: DSDT: sum right, states" : "power: DSDT: sum WRONG, states");
	for (uint64_t at = 36; at + 4 <= number(dsdt + 4, 4); at++)
		if (is(dsdt + at, "_S") && dsdt[at + 2] >= '1' && dsdt[at + 2] <= '5' && dsdt[at + 3] == '_')
			say_counted(" S", dsdt[at + 2] - '0', "");
	say("\r\n");
}

/* --- ways to end -------------------------------------------------------------------- */

static uint16_t power_base(void)
{
	out32(0xcf8, PIIX4_POWER);
	return (uint16_t)(in32(0xcfc) & 0xffc0);
}

static void say_control(const char *when, uint16_t control)
{
	uint64_t rax = in16(control, UINT64_C(0x1122334455667788));

	say("power: PM1 control after ");
	say(when);
	say(": 0x");
	say_number(rax & 0xffff, 16);
	say(rax >> 16 == UINT64_C(0x112233445566) ? "\r\n" : ", and RAX is SPOILT\r\n");
}

/* Each is a write of SLP_EN with S3's type: by word, by doubleword from the register below, by its upper byte alone. */
static void try_s3(uint16_t control)
{
	out16(control, TYPE_S3 | SLP_EN);
	say_control("OUT of 2 bytes", control);
	out32((uint16_t)(control - 2), (uint32_t)(TYPE_S3 | SLP_EN) << 16);
	say_control("OUT of 4 bytes", control);
	out8((uint16_t)(control + 1), (TYPE_S3 | SLP_EN) >> 8);
	say_control("OUT of 1 byte", control);
	out16(control, TYPE_S3);
	say_control("OUT without SLP_EN", control);
	out16(control, 7 << 10 | SLP_EN);
	say_control("OUT of an unknown type", control);
	say("power: still here\r\n");
}

/* INIT by the local APIC to its own identifier: SDM "Interrupt Command Register (ICR)". */
static void send_init_to_self(void)
{
	volatile uint32_t *apic = (volatile uint32_t *)(uintptr_t)0xfee00000;

	apic[0x310 / 4] = apic[0x20 / 4];
	apic[0x300 / 4] = 0x4500;
}

static void end(CHAR16 way)
{
	say("power: ending\r\n");
	if (way == 's')
		out16(power_base() + PM1_CONTROL, TYPE_S5 | SLP_EN);
	if (way == 'c')
		out8(0xcf9, 0x06);
	if (way == 'k')
		out8(0x64, 0xfe);
	if (way == 'i')
		send_init_to_self();
	/* Bochs acts on a reset at the end of its quantum. */
	for (uint32_t i = 0; way != 'n' && i < 1000000; i++)
		__asm__ volatile("pause");
	if (way != 'n')
		say("power: NOT ENDED\r\n");
	for (const char *c = "Shutdown"; *c; c++)
		out8(0x8900, (uint8_t)*c);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_LOADED_IMAGE *image;
	const CHAR16 *way = L"none";

	say_mp_services(table);
	say_madt(find_table(table, "APIC"));
	say_sleep_states(find_table(table, "FACP"));
	if (!EFI_ERROR(table->BootServices->HandleProtocol(self, &loaded_image_guid, (void **)&image)) && image->LoadOptions)
		way = image->LoadOptions;
	if (way[0] == 's' && way[1] == '3')
		try_s3(power_base() + PM1_CONTROL);
	end(way[0]);
	return EFI_SUCCESS;
}
