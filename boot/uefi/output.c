/* SPDX-License-Identifier: MIT */
/*
 * The loader's console. The firmware's ConOut is often several devices at
 * once, a terminal on our serial port among them, and that one wraps lines and
 * adds escape sequences; so we write to the port ourselves, and to each other
 * console device separately. Never waits without end for a port.
 */
#include "boot/uefi/output.h"

#include "arch/string.h"
#include "boot/uefi/clock.h"
#include "boot/uefi/config_console.h"
#include "boot/uefi/console_port.h"
#include "boot/uefi/ports.h"
#include "boot/uefi/text.h"
#include "drivers/line_style.h"
#include "drivers/uart.h"

#define MAX_SCREENS 8
#define LINE_SIZE 672
#define TIME_SIZE 30	/* the longest */
#define PREFIX "testudo[0]: "

/* Microseconds. */
#define READING_TIME 5000000
#define READING_STEP 100000

/* Tags every console output device that the firmware has connected. */
static EFI_GUID console_out_device = {
	0xd3b36f2c, 0xd551, 0x11d4, { 0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d }
};
static EFI_GUID text_output = EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL_GUID;
static EFI_GUID device_path_protocol = EFI_DEVICE_PATH_PROTOCOL_GUID;

static_assert(TIME_SIZE + sizeof(PREFIX) + CONFIG_LINE_SIZE + 2 <= LINE_SIZE, "the longest note fits");

static struct {
	SIMPLE_TEXT_OUTPUT_INTERFACE *screen[MAX_SCREENS];
	u32 screens;
	struct uart uart;
	struct handoff_console console;	/* but for its port, which is uart.at */
	const struct config *config;
	char *copy;
	size_t copy_size, copied;
} output;

/* PNP0501's unit number on this device path, plus 1: which COM port it is. 0: none. */
static u32 com_port_of(EFI_DEVICE_PATH *path)
{
	for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path)) {
		const ACPI_HID_DEVICE_PATH *acpi = (const void *)path;

		if (DevicePathType(path) == ACPI_DEVICE_PATH && path->SubType == ACPI_DP &&
		    acpi->HID == EISA_PNP_ID(0x0501))
			return acpi->UID + 1;
	}
	return 0;
}

/* Does `path` begin with all of `start`? */
static bool begins_with(EFI_DEVICE_PATH *path, EFI_DEVICE_PATH *start)
{
	/* A node that differs in its length differs in its first four bytes. */
	for (; !IsDevicePathEnd(start); path = NextDevicePathNode(path), start = NextDevicePathNode(start))
		if (memcmp(path, start, (size_t)DevicePathNodeLength(start)) != 0)
			return false;
	return true;
}

/* The firmware's terminal on the port that we write to ourselves; `port` is the device path of one on PCI. */
static bool is_own_port(EFI_DEVICE_PATH *path, EFI_DEVICE_PATH *port)
{
	if (output.uart.at.kind == CONSOLE_NONE)
		return false;
	if (port)
		return begins_with(path, port);
	return output.uart.at.kind == CONSOLE_PORT_16550 && com_port_of(path) && com_port_of(path) == config_com_of(output.uart.at.base);
}

/* Every console device but the serial port that we write to ourselves. */
static void find_screens(const struct loader *loader, EFI_DEVICE_PATH *port)
{
	EFI_HANDLE *handles = NULL;
	UINTN count = 0;

	if (EFI_ERROR(loader->boot->LocateHandleBuffer(ByProtocol, &console_out_device, NULL, &count, &handles)))
		return;
	output.screens = 0;
	for (UINTN i = 0; i < count && output.screens < MAX_SCREENS; i++) {
		SIMPLE_TEXT_OUTPUT_INTERFACE *screen;
		EFI_DEVICE_PATH *path;

		if (!EFI_ERROR(loader->boot->HandleProtocol(handles[i], &device_path_protocol, (void **)&path)) &&
		    !EFI_ERROR(loader->boot->HandleProtocol(handles[i], &text_output, (void **)&screen)) && !is_own_port(path, port))
			output.screen[output.screens++] = screen;
	}
	loader->boot->FreePool(handles);
}

static void set_up_lines(const struct loader *loader)
{
	output.console.colours = loader->config.colours;
	output.console.timestamps = loader->config.timestamps;
	output.console.tsc_start = read_tsc();
	if (loader->config.timestamps)
		output.console.tsc_hz = tsc_frequency(loader);
}

void output_open(const struct loader *loader)
{
	EFI_DEVICE_PATH *path = NULL;
	const char *fault;
	char place[CONFIG_CONSOLE_TEXT];

	output.config = &loader->config;
	output.screen[0] = loader->system->ConOut;
	output.screens = output.screen[0] ? 1 : 0;
	set_up_lines(loader);
	fault = console_port_open(loader, &output.uart, &path);
	find_screens(loader, path);
	if (fault) {
		config_console_text(&loader->config.console, place, sizeof(place));
		complain("console = %s: %s; going on without a serial port", place, fault);
	}
}

void output_console(struct handoff_console *console)
{
	*console = output.console;
	console->uart = output.uart.at;
}

bool output_receive(char *c)
{
	return uart_receive(&output.uart, (u8 *)c);
}

static void show(const char *text)
{
	static u16 wide[LINE_SIZE];

	text_to_ucs2(wide, LINE_SIZE, text);
	for (u32 i = 0; i < output.screens; i++)
		output.screen[i]->OutputString(output.screen[i], wide);
}

void output_text(const char *text)
{
	uart_write(&output.uart, text, text_length(text));
	show(text);
}

static size_t put_time(char *line, size_t size)
{
	struct uptime time = uptime_at(&output.console, read_tsc());

	if (!output.console.timestamps)
		return 0;
	if (!output.console.tsc_hz)
		return text_format(line, size, "[%lu] ", time.seconds);
	return text_format(line, size, "[%5lu.%06u] ", time.seconds, time.microseconds);
}

static void put_line(const char *colour, const char *format, va_list arguments)
{
	static char line[LINE_SIZE];
	size_t length = put_time(line, sizeof(line));

	/* Two bytes stay for the line end. */
	length += text_format(line + length, sizeof(line) - 2 - length, PREFIX);
	length += text_vformat(line + length, sizeof(line) - 2 - length, format, arguments);
	line[length++] = '\r';
	line[length++] = '\n';
	line[length] = '\0';
	uart_write_line(&output.uart, output.console.colours ? colour : NULL, line, length);
	show(line);
	if (length > output.copy_size - output.copied)
		length = output.copy_size - output.copied;
	if (length)
		memcpy(output.copy + output.copied, line, length);
	output.copied += length;
}

void output_copy(char *to, size_t size)
{
	output.copy = to;
	output.copy_size = size;
	output.copied = 0;
}

size_t output_copied(void)
{
	return output.copied;
}

void say(const char *format, ...)
{
	va_list arguments;

	/* An entry may change it. */
	if (output.config && output.config->log == LOG_QUIET)
		return;
	va_start(arguments, format);
	put_line(NULL, format, arguments);
	va_end(arguments);
}

void tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_line(NULL, format, arguments);
	va_end(arguments);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_line(LINE_RED, format, arguments);
	va_end(arguments);
}

void wait_for_reader(const struct loader *loader)
{
	SIMPLE_INPUT_INTERFACE *keyboard = loader->system->ConIn;
	EFI_INPUT_KEY key;

	for (u32 waited = 0; waited < READING_TIME; waited += READING_STEP) {
		if (keyboard && !EFI_ERROR(keyboard->ReadKeyStroke(keyboard, &key)))
			return;
		loader->boot->Stall(READING_STEP);
	}
}
