/* SPDX-License-Identifier: MIT */
/*
 * The loader's console. The firmware's ConOut is often several devices at
 * once, a terminal on our serial port among them, and that one wraps lines and
 * adds escape sequences; so we write to the port ourselves, and to each other
 * console device separately. Never waits without end for a port.
 */
#include "boot/uefi/output.h"

#include "arch/string.h"
#include "boot/uefi/ports.h"
#include "boot/uefi/text.h"

#define MAX_SCREENS 8
#define LINE_SIZE 640
#define PREFIX "testudo[0]: "

/* 16550 registers. */
enum { UART_DATA = 0, UART_DIVISOR_LOW = 0, UART_INTERRUPTS = 1, UART_DIVISOR_HIGH = 1, UART_FIFO = 2,
       UART_LINE_CONTROL = 3, UART_MODEM_CONTROL = 4, UART_LINE_STATUS = 5 };
#define UART_8N1 0x03
#define UART_DIVISOR_LATCH 0x80
#define UART_CAN_SEND 0x20
#define UART_HAS_BYTE 0x01
#define UART_BYTE_ERRORS 0x1e		/* overrun, parity, framing, break */
#define UART_WAIT 1000000

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
	u16 port;
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
		if (!output.port || com_port_of(path) != loader->config.console)
			output.screen[output.screens++] = screen;
	}
	loader->boot->FreePool(handles);
}

/* Leaves the speed as the firmware has set it; a port that nobody has set up gets 115200 8N1. */
static void prepare_port(u16 port)
{
	u8 control = port_read((u16)(port + UART_LINE_CONTROL));
	u32 divisor;

	port_write((u16)(port + UART_LINE_CONTROL), control | UART_DIVISOR_LATCH);
	divisor = port_read((u16)(port + UART_DIVISOR_LOW)) | (u32)port_read((u16)(port + UART_DIVISOR_HIGH)) << 8;
	if (divisor && (control & 0x3f) == UART_8N1) {
		port_write((u16)(port + UART_LINE_CONTROL), UART_8N1);
		return;
	}
	port_write((u16)(port + UART_DIVISOR_LOW), 1);
	port_write((u16)(port + UART_DIVISOR_HIGH), 0);
	port_write((u16)(port + UART_LINE_CONTROL), UART_8N1);
	port_write((u16)(port + UART_INTERRUPTS), 0);
	port_write((u16)(port + UART_FIFO), 0x07);
	port_write((u16)(port + UART_MODEM_CONTROL), 0x03);
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
	/* A port without a device reads as ones. */
	if (port && port_read((u16)(port + UART_LINE_STATUS)) != 0xff) {
		prepare_port(port);
		output.port = port;
	}
	find_screens(loader);
	if (port && !output.port)
		complain("there is no serial port at 0x%x (console = com%u): going on without", port,
			 loader->config.console);
}

u16 output_port(void)
{
	return output.port;
}

static void send(char c)
{
	for (u32 tries = 0; tries < UART_WAIT; tries++) {
		if (port_read((u16)(output.port + UART_LINE_STATUS)) & UART_CAN_SEND) {
			port_write((u16)(output.port + UART_DATA), (u8)c);
			return;
		}
	}
	/* It does not take a byte in a second or so: it never will. */
	output.port = 0;
}

bool output_receive(char *c)
{
	u8 status = output.port ? port_read((u16)(output.port + UART_LINE_STATUS)) : 0;

	/* A port that has gone away reads as ones. */
	if (!(status & UART_HAS_BYTE) || status == 0xff)
		return false;
	*c = (char)port_read((u16)(output.port + UART_DATA));
	if (status & UART_BYTE_ERRORS)
		*c = 0;
	return true;
}

void output_text(const char *text)
{
	static u16 wide[LINE_SIZE];

	for (size_t i = 0; text[i] && output.port; i++)
		send(text[i]);
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
