/* SPDX-License-Identifier: MIT */
/*
 * From the configured place to the 16550, on a firmware with a few PCI devices
 * and a memory map: BARs of ports and memory, of 32 and 64 bits, those that are
 * empty or out of reach, memory that must not be taken for a device, and what
 * does not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/compiler.h"
#include "boot/uefi/ports.h"

#define read_cpuid(leaf, subleaf, out) ((void)(leaf), (out)[0] = 39)
#include "boot/uefi/console_port.c"
#undef read_cpuid

static struct loader loader;
static struct uart uart;
static EFI_DEVICE_PATH *path;
static bool answers, is_16550, has_spcr, firmware_maps;
static u32 baud;

bool uart_answers(const struct uart *u)
{
	assert_int_not_equal(u->at.kind, CONSOLE_NONE);
	return answers;
}

bool uart_prepare(const struct uart *u, u32 wanted)
{
	(void)u;
	baud = wanted;
	return is_16550;
}

bool is_mapped(u64 address)
{
	assert_int_equal(address, uart.at.base);
	return firmware_maps;
}

bool firmware_console(const struct loader *l, struct handoff_uart *at)
{
	(void)l;
	if (has_spcr)
		*at = (struct handoff_uart){ 0xfe000000, CONSOLE_MEMORY_16550, 4, 4 };
	return has_spcr;
}

static EFI_MEMORY_DESCRIPTOR ranges[] = {
	{ .Type = EfiConventionalMemory, .PhysicalStart = 0, .NumberOfPages = 0x80000 },
	{ .Type = EfiReservedMemoryType, .PhysicalStart = 0xfe000000, .NumberOfPages = 2 },
	{ .Type = EfiACPIMemoryNVS, .PhysicalStart = 0xfe010000, .NumberOfPages = 1 },
	{ .Type = EfiMemoryMappedIO, .PhysicalStart = 0xfe020000, .NumberOfPages = 1 },
};

EFI_STATUS memory_map_get(const struct loader *l, struct memory_map *map)
{
	(void)l;
	*map = (struct memory_map){ (u8 *)ranges, array_size(ranges), sizeof(ranges[0]) };
	return EFI_SUCCESS;
}

const EFI_MEMORY_DESCRIPTOR *memory_map_at(const struct memory_map *map, UINTN i)
{
	(void)map;
	return &ranges[i];
}

/* 00:05.0, with a BAR of each kind. */
enum { IO_BAR, WIDE_BAR, WIDE_BAR_HIGH, EMPTY_BAR, MEMORY_BAR };
static u32 bars[PCI_BARS];
static u16 command;
static unsigned int writes;

static EFI_STATUS EFIAPI pci_read(EFI_PCI_IO *this, EFI_PCI_IO_PROTOCOL_WIDTH width, UINT32 offset, UINTN count, VOID *to)
{
	(void)this;
	if (width == EfiPciIoWidthUint32 && offset == 0x10 && count == 6)
		memcpy(to, bars, sizeof(bars));
	else if (width == EfiPciIoWidthUint16 && offset == 4 && count == 1)
		memcpy(to, &command, sizeof(command));
	else
		return EFI_UNSUPPORTED;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI pci_write(EFI_PCI_IO *this, EFI_PCI_IO_PROTOCOL_WIDTH width, UINT32 offset, UINTN count, VOID *from)
{
	(void)this;
	assert_true(width == EfiPciIoWidthUint16 && offset == 4 && count == 1);
	memcpy(&command, from, sizeof(command));
	writes++;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI far_location(EFI_PCI_IO *this, UINTN *segment, UINTN *bus, UINTN *device, UINTN *function)
{
	(void)this;
	*segment = 1, *bus = 0, *device = 5, *function = 0;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI location(EFI_PCI_IO *this, UINTN *segment, UINTN *bus, UINTN *device, UINTN *function)
{
	(void)this;
	*segment = 0, *bus = 0, *device = 5, *function = 0;
	return EFI_SUCCESS;
}

static EFI_PCI_IO far_device = { .GetLocation = far_location };
static EFI_PCI_IO device = { .GetLocation = location, .Pci = { pci_read, pci_write } };
static EFI_DEVICE_PATH device_path;

static EFI_STATUS EFIAPI locate(EFI_LOCATE_SEARCH_TYPE type, EFI_GUID *protocol, VOID *key, UINTN *count, EFI_HANDLE **handles)
{
	(void)type, (void)protocol, (void)key;
	*handles = malloc(2 * sizeof(**handles));
	(*handles)[0] = &far_device;
	(*handles)[1] = &device;
	*count = 2;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *protocol, VOID **interface)
{
	*interface = memcmp(protocol, &pci_io_protocol, sizeof(*protocol)) == 0 ? handle : (void *)&device_path;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(VOID *pool)
{
	if (pool != ranges)
		free(pool);
	return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES boot = { .LocateHandleBuffer = locate, .HandleProtocol = handle_protocol, .FreePool = free_pool };

static int fresh(void **state)
{
	static const u32 all[PCI_BARS] = {
		[IO_BAR] = 0xc001, [WIDE_BAR] = 0x0000000c, [WIDE_BAR_HIGH] = 0x20, [EMPTY_BAR] = 0, [MEMORY_BAR] = 0xfd000000,
	};

	(void)state;
	memset(&loader, 0, sizeof(loader));
	loader.boot = &boot;
	memcpy(bars, all, sizeof(bars));
	command = 0x4;
	writes = 0;
	answers = is_16550 = firmware_maps = true;
	has_spcr = false;
	return 0;
}

static const char *open_at(u8 kind, u64 base, u8 stride, u8 width, u8 bar)
{
	loader.config.console = (struct config_console){ base, kind, stride, width, bar };
	path = NULL;
	memset(&uart, 0, sizeof(uart));
	return console_port_open(&loader, &uart, &path);
}

static void assert_refused(const char *fault, const char *words)
{
	assert_non_null(fault);
	if (!strstr(fault, words))
		fail_msg("\"%s\" does not say \"%s\"", fault, words);
	assert_int_equal(uart.at.kind, CONSOLE_NONE);
}

static void none_is_no_fault(void **state)
{
	(void)state;
	answers = false;
	assert_null(open_at(CONFIG_CONSOLE_NONE, 0, 0, 0, 0));
	assert_int_equal(uart.at.kind, CONSOLE_NONE);
}

static void a_port_is_taken_as_it_is(void **state)
{
	(void)state;
	loader.config.baud = 9600;
	assert_null(open_at(CONFIG_CONSOLE_PORT, 0x2f8, 1, 1, 0));
	assert_true(uart.at.kind == CONSOLE_PORT_16550 && uart.at.base == 0x2f8);
	assert_int_equal(baud, 9600);
	answers = false;
	assert_refused(open_at(CONFIG_CONSOLE_PORT, 0x2f8, 1, 1, 0), "nothing answers");
	answers = true, is_16550 = false;
	assert_refused(open_at(CONFIG_CONSOLE_PORT, 0x2f8, 1, 1, 0), "no 16550");
}

/* Expect: decoding is switched on, of the kind that the BAR has, and not written again where it is on. */
static void a_bar_is_found(void **state)
{
	(void)state;
	assert_null(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, IO_BAR));
	assert_true(uart.at.kind == CONSOLE_PORT_16550 && uart.at.base == 0xc000);
	assert_ptr_equal(path, &device_path);
	assert_int_equal(command, 0x5);
	assert_null(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, MEMORY_BAR));
	assert_true(uart.at.kind == CONSOLE_MEMORY_16550 && uart.at.base == 0xfd000000);
	assert_int_equal(command, 0x7);
	assert_null(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 4, 4, WIDE_BAR));
	assert_true(uart.at.base == 0x2000000000 && uart.at.stride == 4 && uart.at.width == 4);
	assert_int_equal(writes, 2);
	/* Ports have 8 bits, whatever the configuration says. */
	assert_null(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 4, 4, IO_BAR));
	assert_true(uart.at.stride == 4 && uart.at.width == 1);
}

static void bad_devices_and_bars_are_named(void **state)
{
	(void)state;
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 6 << 3, 1, 1, 0), "no such PCI device");
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3 | 1, 1, 1, 0), "no such PCI device");
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, EMPTY_BAR), "BAR is empty");
	assert_int_equal(writes, 0);
	/* 2^39: one bit more than this processor has. */
	bars[WIDE_BAR_HIGH] = 0x80;
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, WIDE_BAR), "beyond the addresses");
	bars[IO_BAR] = 0x1c001;
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, IO_BAR), "no such ports");
	/* A BAR in the middle of memory, as a firmware with a bug may leave it. */
	bars[MEMORY_BAR] = 0x1000000;
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, MEMORY_BAR), "there is memory");
	/* What is refused is not decoded either. */
	assert_true(writes == 0 && command == 0x4);
}

/* Expect: no access where the loader would fault. */
static void what_the_firmware_does_not_map_is_not_touched(void **state)
{
	(void)state;
	firmware_maps = answers = false;
	assert_refused(open_at(CONFIG_CONSOLE_MEMORY, UINT64_C(1) << 38, 1, 1, 0), "page tables");
	assert_refused(open_at(CONFIG_CONSOLE_PCI, 5 << 3, 1, 1, WIDE_BAR), "page tables");
	assert_int_equal(writes, 0);
	has_spcr = true;
	assert_refused(open_at(CONFIG_CONSOLE_AUTO, 0, 0, 0, 0), "page tables");
	/* Ports need no map. */
	answers = true;
	assert_null(open_at(CONFIG_CONSOLE_PORT, 0x2f8, 1, 1, 0));
}

/* Expect: what the map calls reserved, I/O or does not know may be a device's; all else is memory, up to the last byte. */
static void memory_is_never_a_device(void **state)
{
	static const struct {
		u64 base;
		bool good;
	} rows[] = { { 0x1000, false }, { 0x7fffff00, false }, { 0x80000000, true }, { 0xfe000000, true }, { 0xfe001ff8, true },
		     { 0xfe010000, false }, { 0xfe020000, true }, { 0xfe011000, true }, { UINT64_C(1) << 38, true }, { 0x800, false } };

	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		if (rows[i].good)
			assert_null(open_at(CONFIG_CONSOLE_MEMORY, rows[i].base, 1, 1, 0));
		else
			assert_refused(open_at(CONFIG_CONSOLE_MEMORY, rows[i].base, 1, 1, 0), "there is memory");
	}
	assert_refused(open_at(CONFIG_CONSOLE_MEMORY, UINT64_C(1) << 39, 1, 1, 0), "beyond the addresses");
	assert_refused(open_at(CONFIG_CONSOLE_MEMORY, 0xfe000ffc, 1, 1, 0), "within one page");
}

static void auto_follows_the_firmware(void **state)
{
	(void)state;
	assert_null(open_at(CONFIG_CONSOLE_AUTO, 0, 0, 0, 0));
	assert_true(uart.at.kind == CONSOLE_PORT_16550 && uart.at.base == 0x3f8 && uart.at.stride == 1 && uart.at.width == 1);
	has_spcr = true;
	assert_null(open_at(CONFIG_CONSOLE_AUTO, 0, 0, 0, 0));
	assert_true(uart.at.kind == CONSOLE_MEMORY_16550 && uart.at.base == 0xfe000000 && uart.at.width == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(none_is_no_fault, fresh),
		cmocka_unit_test_setup(a_port_is_taken_as_it_is, fresh),
		cmocka_unit_test_setup(a_bar_is_found, fresh),
		cmocka_unit_test_setup(bad_devices_and_bars_are_named, fresh),
		cmocka_unit_test_setup(what_the_firmware_does_not_map_is_not_touched, fresh),
		cmocka_unit_test_setup(memory_is_never_a_device, fresh),
		cmocka_unit_test_setup(auto_follows_the_firmware, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
