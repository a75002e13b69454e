/* SPDX-License-Identifier: MIT */
/*
 * The loader's console. The firmware's ConOut is often several devices at
 * once, a terminal on our serial port among them, and that one wraps lines and
 * adds escape sequences; so we write to the port ourselves, and to each other
 * console device separately. Never waits without end for a port.
 */
#include "boot/uefi/output.h"

#include "arch/string.h"
#include "boot/uefi/text.h"
#include "drivers/uart.h"

#define MAX_SCREENS 8
#define LINE_SIZE 640
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

static_assert(sizeof(PREFIX) + CONFIG_LINE_SIZE + 2 <= LINE_SIZE, "the longest note fits");

static struct {
	SIMPLE_TEXT_OUTPUT_INTERFACE *screen[MAX_SCREENS];
	u32 screens;
	struct uart uart;
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

/* Every console device but the serial port that we write to ourselves. */
static void find_screens(const struct loader *loader)
{
	EFI_HANDLE *handles = NULL;
	UINTN count = 0;

	if (EFI_ERROR(loader->boot->LocateHandleBuffer(ByProtocol, &console_out_device, NULL, &count, &handles)))
		return;
	output.screens = 0;
	for (UINTN i = 0; i < count && output.screens < MAX_SCREENS; i++) {
		SIMPLE_TEXT_OUTPUT_INTERFACE *screen;
		EFI_DEVICE_PATH *path;

		if (EFI_ERROR(loader->boot->HandleProtocol(handles[i], &device_path_protocol, (void **)&path)) ||
		    EFI_ERROR(loader->boot->HandleProtocol(handles[i], &text_output, (void **)&screen)))
			continue;
		if (output.uart.at.kind == CONSOLE_NONE || com_port_of(path) != loader->config.console)
			output.screen[output.screens++] = screen;
	}
	loader->boot->FreePool(handles);
}

void output_open(const struct loader *loader)
{
	static const u16 ports[] = {
		[CONFIG_CONSOLE_NONE] = 0, [CONFIG_CONSOLE_COM1] = 0x3f8, [CONFIG_CONSOLE_COM2] = 0x2f8,
		[CONFIG_CONSOLE_COM3] = 0x3e8, [CONFIG_CONSOLE_COM4] = 0x2e8,
	};
	u16 port = ports[loader->config.console];

	output.config = &loader->config;
	output.screen[0] = loader->system->ConOut;
	output.screens = output.screen[0] ? 1 : 0;
	output.uart.at = (struct handoff_console){
		.base = port, .kind = port ? CONSOLE_PORT_16550 : CONSOLE_NONE, .stride = 1, .width = 1,
	};
	if (!uart_answers(&output.uart) || !uart_prepare(&output.uart, 0))
		output.uart.at.kind = CONSOLE_NONE;
	find_screens(loader);
	if (port && output.uart.at.kind == CONSOLE_NONE)
		complain("there is no serial port at 0x%x (console = com%u): going on without", port,
			 loader->config.console);
}

const struct handoff_console *output_console(void)
{
	return &output.uart.at;
}

bool output_receive(char *c)
{
	return uart_receive(&output.uart, (u8 *)c);
}

void output_text(const char *text)
{
	static u16 wide[LINE_SIZE];

	uart_write(&output.uart, text, text_length(text));
	text_to_ucs2(wide, LINE_SIZE, text);
	for (u32 i = 0; i < output.screens; i++)
		output.screen[i]->OutputString(output.screen[i], wide);
}

static void put_line(const char *format, va_list arguments)
{
	static char line[LINE_SIZE];
	size_t length = text_format(line, sizeof(line), PREFIX);

	/* Two bytes stay for the line end. */
	length += text_vformat(line + length, sizeof(line) - 2 - length, format, arguments);
	line[length++] = '\r';
	line[length++] = '\n';
	line[length] = '\0';
	output_text(line);
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
	put_line(format, arguments);
	va_end(arguments);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_line(format, arguments);
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
