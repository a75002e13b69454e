/* SPDX-License-Identifier: MIT */
/*
 * The forms of `console`: see boot/uefi/config_console.h. Judges a place only
 * by itself; what the machine has there is console_port.c's business.
 */
#include "boot/uefi/config_console.h"

#include "arch/compiler.h"
#include "boot/uefi/text.h"
#include "drivers/uart.h"

#define PAGE 4096
#define PORTS 0x10000
#define LAST_BAR 5

static const struct form {
	char prefix[8];
	u8 kind, width;
} forms[] = {
	{ "port:", CONFIG_CONSOLE_PORT, 1 },
	{ "mmio:", CONFIG_CONSOLE_MEMORY, 1 },
	{ "mmio32:", CONFIG_CONSOLE_MEMORY, 4 },
	{ "pci:", CONFIG_CONSOLE_PCI, 1 },
	{ "pci32:", CONFIG_CONSOLE_PCI, 4 },
};

/* COM1 to COM4. */
static const u16 com_ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

static bool take(struct span *rest, const char *word)
{
	size_t length = text_length(word);

	if (rest->size < length || !span_is((struct span){ rest->at, length }, word))
		return false;
	rest->at += length, rest->size -= length;
	return true;
}

/* A number of the base, up to `most`. */
static bool take_number(struct span *rest, u32 base, u64 most, u64 *number)
{
	size_t digits = 0;

	for (*number = 0; digits < rest->size; digits++) {
		u32 c = (u8)rest->at[digits], letter = c | 0x20;
		u32 digit = c - '0' < 10 ? c - '0' : letter - 'a' < 6 ? letter - 'a' + 10 : base;

		if (digit >= base)
			break;
		if (digit > most || *number > (most - digit) / base)
			return false;
		*number = *number * base + digit;
	}
	rest->at += digits, rest->size -= digits;
	return digits != 0;
}

/* [SEGMENT:]BUS:DEVICE.FUNCTION, hexadecimal as lspci shows it. */
static bool take_pci(struct span *rest, u64 *place)
{
	u64 segment = 0, bus, device, function;

	if (!take_number(rest, 16, 0xffff, &bus) || !take(rest, ":") || !take_number(rest, 16, 0xff, &device))
		return false;
	if (take(rest, ":")) {
		segment = bus, bus = device;
		if (!take_number(rest, 16, 0x1f, &device))
			return false;
	}
	if (!take(rest, ".") || !take_number(rest, 16, 7, &function) || bus > 0xff || device > 0x1f)
		return false;
	*place = segment << 16 | bus << 8 | device << 3 | function;
	return true;
}

static bool is_possible(const struct config_console *console)
{
	u64 span = uart_span(&(struct handoff_uart){ .stride = console->stride, .width = console->width });

	if (console->width > console->stride)
		return false;
	if (console->kind == CONFIG_CONSOLE_PORT)
		return console->base != 0 && console->base + span <= PORTS;
	return console->kind != CONFIG_CONSOLE_MEMORY ||
	       (console->base >= PAGE && console->base % PAGE + span <= PAGE && console->base % console->width == 0);
}

static bool parse_place(struct span rest, const struct form *form, struct config_console *console)
{
	struct config_console c = { .kind = form->kind, .width = form->width };
	u64 bar = 0, stride = form->width;

	if (form->kind == CONFIG_CONSOLE_PCI) {
		if (!take_pci(&rest, &c.base) || (take(&rest, ",") && !take_number(&rest, 10, LAST_BAR, &bar)))
			return false;
	} else if (!take(&rest, "0x") || !take_number(&rest, 16, UINT64_MAX, &c.base)) {
		return false;
	}
	if (take(&rest, ",") && (!take_number(&rest, 10, 8, &stride) || (stride != 1 && stride != 2 && stride != 4 && stride != 8)))
		return false;
	c.bar = (u8)bar;
	c.stride = (u8)stride;
	if (rest.size || !is_possible(&c))
		return false;
	*console = c;
	return true;
}

bool config_console_parse(struct span value, struct config_console *console)
{
	struct span rest = value;
	u64 com;

	for (u32 i = 0; i < array_size(forms); i++)
		if (take(&rest, forms[i].prefix))
			return parse_place(rest, &forms[i], console);
	if (span_is(value, "none") || span_is(value, "auto")) {
		*console = (struct config_console){ .kind = value.at[0] == 'n' ? CONFIG_CONSOLE_NONE : CONFIG_CONSOLE_AUTO };
		return true;
	}
	if (!take(&rest, "com") || rest.size != 1 || !take_number(&rest, 10, array_size(com_ports), &com) || com == 0)
		return false;
	*console = (struct config_console){ com_ports[com - 1], CONFIG_CONSOLE_PORT, 1, 1, 0 };
	return true;
}

u32 config_com_of(u64 port)
{
	u32 com = array_size(com_ports);

	while (com && port != com_ports[com - 1])
		com--;
	return com;
}

void config_console_text(const struct config_console *console, char *out, size_t size)
{
	const char *wide = console->width == 4 ? "32" : "";
	u64 base = console->base;

	if (console->kind == CONFIG_CONSOLE_PORT && console->stride == 1 && config_com_of(base))
		text_format(out, size, "com%u", config_com_of(base));
	else if (console->kind == CONFIG_CONSOLE_PORT)
		text_format(out, size, "port:0x%lx,%u", base, console->stride);
	else if (console->kind == CONFIG_CONSOLE_MEMORY)
		text_format(out, size, "mmio%s:0x%lx,%u", wide, base, console->stride);
	else if (console->kind == CONFIG_CONSOLE_PCI)
		text_format(out, size, "pci%s:%04lx:%02lx:%02lx.%lx,%u,%u", wide, base >> 16, base >> 8 & 0xff, base >> 3 & 0x1f, base & 7,
			    console->bar, console->stride);
	else
		text_format(out, size, "%s", console->kind == CONFIG_CONSOLE_AUTO ? "auto" : "none");
}
