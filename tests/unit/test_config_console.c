/* SPDX-License-Identifier: MIT */
/*
 * The places that `console` can name, those it cannot, `baud`, and how all of
 * them are written again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arch/compiler.h"
#include "boot/uefi/config_console.h"

static struct config config;
static struct config_notes notes;

static bool parse(const char *text, struct config_console *console)
{
	return config_console_parse((struct span){ text, strlen(text) }, console);
}

/* Expect: each form, with what it leaves out, and its full form once more. */
static void every_form_is_read(void **state)
{
	static const struct {
		const char *text, *full;
		struct config_console console;
	} rows[] = {
		{ "none", "none", { .kind = CONFIG_CONSOLE_NONE } },
		{ "auto", "auto", { .kind = CONFIG_CONSOLE_AUTO } },
		{ "com1", "com1", { 0x3f8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "com2", "com2", { 0x2f8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "com3", "com3", { 0x3e8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "com4", "com4", { 0x2e8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "port:0x2F8", "com2", { 0x2f8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "port:0x2f8,4", "port:0x2f8,4", { 0x2f8, CONFIG_CONSOLE_PORT, 4, 1, 0 } },
		{ "port:0xfff8", "port:0xfff8,1", { 0xfff8, CONFIG_CONSOLE_PORT, 1, 1, 0 } },
		{ "mmio:0xfe030000", "mmio:0xfe030000,1", { 0xfe030000, CONFIG_CONSOLE_MEMORY, 1, 1, 0 } },
		{ "mmio:0xfe030ff8", "mmio:0xfe030ff8,1", { 0xfe030ff8, CONFIG_CONSOLE_MEMORY, 1, 1, 0 } },
		{ "mmio:0xfe030fc7,8", "mmio:0xfe030fc7,8", { 0xfe030fc7, CONFIG_CONSOLE_MEMORY, 8, 1, 0 } },
		{ "mmio32:0x4000000000", "mmio32:0x4000000000,4", { 0x4000000000, CONFIG_CONSOLE_MEMORY, 4, 4, 0 } },
		{ "mmio32:0xfe030fe0", "mmio32:0xfe030fe0,4", { 0xfe030fe0, CONFIG_CONSOLE_MEMORY, 4, 4, 0 } },
		{ "pci:0:5.0", "pci:0000:00:05.0,0,1", { 0x28, CONFIG_CONSOLE_PCI, 1, 1, 0 } },
		{ "pci:00:16.3,1", "pci:0000:00:16.3,1,1", { 0xb3, CONFIG_CONSOLE_PCI, 1, 1, 1 } },
		{ "pci:0001:fF:1f.7,5,8", "pci:0001:ff:1f.7,5,8", { 0x1ffff, CONFIG_CONSOLE_PCI, 8, 1, 5 } },
		{ "pci32:00:1e.0", "pci32:0000:00:1e.0,0,4", { 0xf0, CONFIG_CONSOLE_PCI, 4, 4, 0 } },
	};

	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		struct config_console console;
		char text[CONFIG_CONSOLE_TEXT];

		memset(&console, 0xee, sizeof(console));
		if (!parse(rows[i].text, &console))
			fail_msg("\"%s\" is refused", rows[i].text);
		config_console_text(&console, text, sizeof(text));
		assert_string_equal(text, rows[i].full);
		assert_true(console.base == rows[i].console.base && console.kind == rows[i].console.kind &&
			    console.stride == rows[i].console.stride && console.width == rows[i].console.width &&
			    console.bar == rows[i].console.bar);
		assert_true(parse(text, &console));
	}
}

/* Expect: nothing is changed by what is no form, or a place where no 16550 can be. */
static void what_cannot_be_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "com", "com0", "com5", "com11", "com1x", "COM1", "nones", "port:", "port:2f8", "port:0x", "port:0x0",
		"port:0x10000", "port:0xfff9", "port:0x2f8,", "port:0x2f8,3", "port:0x2f8,0", "port:0x2f8,16", "port:0x2f8,1,1",
		"port:0x2f8 ", "port:0x2g8", "port:0xff00,64", "port32:0x2f8", "mmio:0xfff", "mmio:0x0", "mmio:fe030000",
		"mmio:0xfe030ff9", "mmio:0xfe030fc8,8", "mmio32:0xfe030fe4", "mmio32:0xfe030002", "mmio32:0xfe030000,2",
		"mmio:0x1fe03000000000000", "mmio:0x10000000000000000", "pci:", "pci:00", "pci:00:05", "pci:00:05.",
		"pci:00:05.8", "pci:00:20.0", "pci:100:05.0", "pci:00:05.0,6", "pci:00:05.0,", "pci:00:05.0,0,5",
		"pci:00:05.0,0,1,1", "pci:10000:00:05.0", "pci:0:0:0:05.0", "pci32:00:05.0,0,2", "pci:0x0:05.0", "mmio32", "pc",
	};
	const struct config_console before = { 7, 1, 1, 1, 1 };

	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		struct config_console console = before;

		if (parse(rows[i], &console))
			fail_msg("\"%s\" is taken for a place", rows[i]);
		assert_memory_equal(&console, &before, sizeof(console));
	}
}

static void file(const char *text)
{
	config_defaults(&config);
	memset(&notes, 0, sizeof(notes));
	config_read_file(&config, &notes, text, strlen(text));
}

/* Expect: `keep` by default; speeds that a divisor gives exactly, and no others. */
static void a_speed_must_divide(void **state)
{
	static const struct {
		const char *text;
		u32 baud;
	} good[] = { { "", 0 }, { "baud = keep", 0 }, { "baud = 115200", 115200 }, { "baud = 9600", 9600 }, { "baud = 50", 50 } };
	static const char *const bad[] = { "baud = 0", "baud = 49", "baud = 48", "baud = 9601", "baud = 115201", "baud = 230400",
					   "baud = fast", "baud = 14401", "baud = 4294967297" };

	(void)state;
	for (u32 i = 0; i < array_size(good); i++) {
		file(good[i].text);
		assert_int_equal(notes.count, 0);
		assert_int_equal(config.baud, good[i].baud);
	}
	for (u32 i = 0; i < array_size(bad); i++) {
		file(bad[i]);
		assert_int_equal(notes.count, 1);
		assert_int_equal(notes.note[0].problem, CONFIG_BAD_VALUE);
		assert_int_equal(config.baud, 0);
	}
}

/* Expect: off by default, for all entries alike, and the note of a bad place names the forms. */
static void settings_of_the_console_are_read(void **state)
{
	char text[CONFIG_LINE_SIZE];

	(void)state;
	file("");
	assert_int_equal(config.timestamps, 0);
	assert_int_equal(config.colours, 0);
	file("timestamps = on\ncolours = on\nconsole = pci:00:05.0,1\n[a]\n");
	assert_int_equal(notes.count, 0);
	assert_true(config.timestamps == 1 && config.colours == 1 && config.console.kind == CONFIG_CONSOLE_PCI);
	file("[a]\ncolours = on\n");
	assert_int_equal(notes.count, 1);
	assert_int_equal(notes.note[0].problem, CONFIG_MISPLACED_KEY);
	file("console = com9\n");
	config_describe(&config, &notes.note[0], text, sizeof(text));
	assert_non_null(strstr(text, "console cannot be \"com9\""));
	assert_non_null(strstr(text, "mmio:0xADDRESS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_speed_must_divide),
		cmocka_unit_test(settings_of_the_console_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
