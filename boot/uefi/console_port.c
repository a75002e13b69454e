/* SPDX-License-Identifier: MIT */
/*
 * Finds the console's 16550: see boot/uefi/console_port.h. Touches registers
 * only where no memory is, and of a PCI device's configuration only the
 * command register.
 */
#include "boot/uefi/console_port.h"

#include "boot/uefi/acpi_look.h"
#include "boot/uefi/executable.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/ports.h"

#include <efipciio.h>

#define PAGE UINT64_C(4096)
#define PORTS 0x10000

/* PCI configuration space. */
enum { PCI_COMMAND = 0x04, PCI_BAR = 0x10, PCI_BARS = 6 };
#define COMMAND_IO 0x1u
#define COMMAND_MEMORY 0x2u
#define BAR_IS_IO 0x1u
#define BAR_IO_ADDRESS UINT64_C(0xfffffffc)
#define BAR_IS_64_BITS(bar) (((bar) & 6) == 4)
#define BAR_MEMORY_ADDRESS (~UINT64_C(0xf))

static EFI_GUID pci_io_protocol = EFI_PCI_IO_PROTOCOL_GUID;
static EFI_GUID device_path_protocol = EFI_DEVICE_PATH_PROTOCOL_GUID;

/* The device at that place of the configuration; NULL: there is none. */
static EFI_PCI_IO *find_pci(const struct loader *loader, u64 place, EFI_DEVICE_PATH **path)
{
	EFI_HANDLE *handles = NULL;
	EFI_PCI_IO *found = NULL;
	UINTN count = 0;

	if (EFI_ERROR(loader->boot->LocateHandleBuffer(ByProtocol, &pci_io_protocol, NULL, &count, &handles)))
		return NULL;
	for (UINTN i = 0; i < count && !found; i++) {
		UINTN segment, bus, device, function;
		EFI_PCI_IO *pci;

		if (EFI_ERROR(loader->boot->HandleProtocol(handles[i], &pci_io_protocol, (void **)&pci)) ||
		    EFI_ERROR(pci->GetLocation(pci, &segment, &bus, &device, &function)) ||
		    (segment << 16 | bus << 8 | device << 3 | function) != place)
			continue;
		found = pci;
		if (EFI_ERROR(loader->boot->HandleProtocol(handles[i], &device_path_protocol, (void **)path)))
			*path = NULL;
	}
	loader->boot->FreePool(handles);
	return found;
}

static bool is_memory(const struct loader *loader, u64 address)
{
	struct memory_map map;
	bool found = false;

	if (EFI_ERROR(memory_map_get(loader, &map)))
		return true;
	for (UINTN i = 0; i < map.count && !found; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);

		found = address / PAGE - d->PhysicalStart / PAGE < d->NumberOfPages && handoff_type_is_memory(d->Type);
	}
	loader->boot->FreePool(map.bytes);
	return found;
}

static u32 address_bits(void)
{
	u32 leaf[4];

	read_cpuid(0x80000008, 0, leaf);
	return leaf[0] & 0xff;
}

/* NULL: a 16550 may be there. */
static const char *fault_of(const struct loader *loader, const struct handoff_uart *at)
{
	u64 span = uart_span(at);

	if (at->kind == CONSOLE_PORT_16550)
		return at->base + span > PORTS ? "there are no such ports" : NULL;
	if (at->base >> address_bits() || at->base >= UART_ADDRESS_END)
		return "that is beyond the addresses that can be reached; the firmware's setup may offer to keep devices below 4 GB";
	if (at->base % PAGE + span > PAGE || at->base % at->width)
		return "its registers must lie within one page";
	if (at->base < PAGE || is_memory(loader, at->base))
		return "there is memory, no device";
	/* Firmware need not map what it does not know. */
	if (!is_mapped(at->base))
		return "the firmware's page tables do not have that address";
	return NULL;
}

/* Where the BAR lies, with its decoding on. */
static const char *open_pci(const struct loader *loader, struct handoff_uart *at, EFI_DEVICE_PATH **path)
{
	EFI_PCI_IO *pci = find_pci(loader, loader->config.console.base, path);
	const char *fault;
	u32 bar[PCI_BARS + 1] = { 0 }, i = loader->config.console.bar;
	u16 command, wanted;

	if (!pci)
		return "there is no such PCI device; lspci or the UEFI shell's pci names those that are";
	if (EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint32, PCI_BAR, PCI_BARS, bar)) ||
	    EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint16, PCI_COMMAND, 1, &command)))
		return "the PCI device cannot be read";
	if (bar[i] & BAR_IS_IO) {
		at->kind = CONSOLE_PORT_16550;
		at->base = bar[i] & BAR_IO_ADDRESS;
		/* A port's registers have 8 bits. */
		at->width = 1;
	} else {
		at->kind = CONSOLE_MEMORY_16550;
		at->base = (bar[i] | (BAR_IS_64_BITS(bar[i]) ? (u64)bar[i + 1] << 32 : 0)) & BAR_MEMORY_ADDRESS;
	}
	if (at->base == 0)
		return "the PCI device's BAR is empty; another BAR's number goes behind a comma";
	/* An address that nobody has looked after may be another's: it is not to be decoded. */
	fault = fault_of(loader, at);
	if (fault)
		return fault;
	wanted = (u16)(command | (bar[i] & BAR_IS_IO ? COMMAND_IO : COMMAND_MEMORY));
	if (wanted != command)
		pci->Pci.Write(pci, EfiPciIoWidthUint16, PCI_COMMAND, 1, &wanted);
	return NULL;
}

static const char *find(const struct loader *loader, struct handoff_uart *at, EFI_DEVICE_PATH **path)
{
	const struct config_console *console = &loader->config.console;
	const char *fault = NULL;

	*at = (struct handoff_uart){ console->base, CONSOLE_PORT_16550, console->stride, console->width };
	switch ((enum config_console_kind)console->kind) {
	case CONFIG_CONSOLE_NONE:
		at->kind = CONSOLE_NONE;
		return NULL;
	case CONFIG_CONSOLE_AUTO:
		/* Without such a table COM1 is it. */
		if (!firmware_console(loader, at))
			*at = (struct handoff_uart){ 0x3f8, CONSOLE_PORT_16550, 1, 1 };
		break;
	case CONFIG_CONSOLE_PCI:
		fault = open_pci(loader, at, path);
		break;
	case CONFIG_CONSOLE_MEMORY:
		at->kind = CONSOLE_MEMORY_16550;
		break;
	case CONFIG_CONSOLE_PORT:
		break;
	}
	return fault ? fault : fault_of(loader, at);
}

const char *console_port_open(const struct loader *loader, struct uart *uart, EFI_DEVICE_PATH **path)
{
	const char *fault = find(loader, &uart->at, path);

	if (!fault && uart->at.kind != CONSOLE_NONE) {
		if (!uart_answers(uart))
			fault = "nothing answers there; the port may be switched off in the firmware's setup";
		else if (!uart_prepare(uart, loader->config.baud))
			fault = "what answers there is no 16550";
	}
	if (fault)
		uart->at.kind = CONSOLE_NONE;
	return fault;
}
