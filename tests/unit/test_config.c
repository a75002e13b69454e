/* SPDX-License-Identifier: MIT */
/*
 * The configuration file and the load options: what is accepted, what is
 * reported and how.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "boot/handoff.h"
#include "boot/uefi/config.h"

/* Bits of `hide`. */
enum { HIDE_EPT = 1, HIDE_VPID = 7 };

static struct config config;
static struct config_notes notes;

static int fresh(void **state)
{
	(void)state;
	config_defaults(&config);
	memset(&notes, 0, sizeof(notes));
	return 0;
}

static void file(const char *text)
{
	config_read_file(&config, &notes, text, strlen(text));
}

static void options(const char *text)
{
	config_read_load_options(&config, &notes, text, strlen(text));
}

/* Expects exactly one note, and these words in it. */
static void assert_noted(u32 line, enum config_problem problem, const char *words)
{
	char text[CONFIG_LINE_SIZE];

	assert_int_equal(notes.count, 1);
	assert_int_equal(notes.note[0].line, line);
	assert_int_equal(notes.note[0].problem, problem);
	config_describe(&config, &notes.note[0], text, sizeof(text));
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* Expect: nothing to start, com1, info, all processors, stop, leaves, refusals and shadowing on. */
static void an_empty_file_leaves_the_defaults(void **state)
{
	(void)state;
	file("");
	assert_string_equal(config.l1, "");
	assert_string_equal(config.options, "");
	assert_int_equal(config.console.base, 0x3f8);
	assert_int_equal(config.log, LOG_INFO);
	assert_int_equal(config.cpus, CONFIG_ALL_CPUS);
	assert_int_equal(config.unsupported, CONFIG_UNSUPPORTED_STOP);
	assert_int_equal(config.unlaunched, CONFIG_UNLAUNCHED_STOP);
	assert_int_equal(config.leaves, 1);
	assert_int_equal(config.refusals, 1);
	assert_int_equal(config.shadowing, 1);
	assert_int_equal(config.check, CONFIG_CHECK_OFF);
	assert_int_equal(config.trace, 0);
	assert_int_equal(config.hide, 0);
	assert_int_equal(config.entries, 0);
	assert_int_equal(config.timeout, 5);
	assert_int_equal(notes.count, 0);
}

/* Expect: each key reaches its member, comments and blanks do not matter. */
static void every_key_is_read(void **state)
{
	(void)state;
	file("# Testudo\n"
	     "l1 = \\EFI\\testudo\\l1\\vmlinuz.efi   # the kernel\n"
	     "\toptions=console=ttyS0,115200 initrd=\\EFI\\initrd x=\"a # b\"\n"
	     "\n"
	     "console = com3\nlog = trace\ncpus = 4\nunsupported = boot\nunlaunched = leave\nleaves = off\n"
	     "refusals = off\nshadowing = off\ntrace = 512\nhide = ept vpid\ntimeout = 60");
	assert_int_equal(notes.count, 0);
	assert_string_equal(config.l1, "\\EFI\\testudo\\l1\\vmlinuz.efi");
	assert_string_equal(config.options, "console=ttyS0,115200 initrd=\\EFI\\initrd x=\"a # b\"");
	assert_int_equal(config.console.base, 0x3e8);
	assert_int_equal(config.log, LOG_TRACE);
	assert_int_equal(config.cpus, 4);
	assert_int_equal(config.unsupported, CONFIG_UNSUPPORTED_BOOT);
	assert_int_equal(config.unlaunched, CONFIG_UNLAUNCHED_LEAVE);
	assert_int_equal(config.leaves, 0);
	assert_int_equal(config.refusals, 0);
	assert_int_equal(config.shadowing, 0);
	assert_int_equal(config.trace, 512);
	assert_int_equal(config.hide, 1 << HIDE_EPT | 1 << HIDE_VPID);
	assert_int_equal(config.timeout, 60);
}

/* Expect: a byte-order mark and CR LF are no part of keys and values. */
static void a_file_of_a_windows_editor_is_read(void **state)
{
	(void)state;
	file("\xef\xbb\xbflog = quiet\r\ncpus = all\r\n");
	assert_int_equal(notes.count, 0);
	assert_int_equal(config.log, LOG_QUIET);
}

/* Expect: the path begins with a backslash and has no slashes. */
static void a_path_with_slashes_is_put_in_the_firmwares_form(void **state)
{
	(void)state;
	file("l1 = EFI/xen/xen.efi");
	assert_string_equal(config.l1, "\\EFI\\xen\\xen.efi");
	file("l1 = /shell.efi");
	assert_string_equal(config.l1, "\\shell.efi");
}

/* Expect: no l1. */
static void an_empty_path_means_nothing_to_start(void **state)
{
	(void)state;
	file("l1 = a.efi");
	options("l1=");
	assert_string_equal(config.l1, "");
	assert_int_equal(notes.count, 0);
}

/* Expect: a note with line, key and the keys there are. */
static void an_unknown_key_is_named_with_its_line(void **state)
{
	(void)state;
	file("log = info\n\nconsle = com1\n");
	assert_noted(3, CONFIG_UNKNOWN_KEY, "testudo.cfg line 3: there is no key \"consle\" here; there are l1, options, "
		     "default, timeout, console, baud, timestamps, colours, log, "
		     "cpus, unsupported, unlaunched, check, leaves, refusals, shadowing, trace, monitor, hotkey, hide; ignored");
}

/* Expect: a note with what is allowed; the setting stays as it was. */
static void a_bad_choice_is_named_and_changes_nothing(void **state)
{
	(void)state;
	config.log = LOG_DEBUG;
	file("log = loud");
	assert_noted(1, CONFIG_BAD_VALUE, "log cannot be \"loud\"; allowed: quiet, info, debug, trace");
	assert_int_equal(config.log, LOG_DEBUG);
}

/* Expect: each of these is refused and `all` stays. */
static void cpus_takes_all_or_1_to_256(void **state)
{
	static const char *const bad[] = { "cpus = 0", "cpus = 257", "cpus = -1", "cpus = 4x", "cpus =", "cpus = ALL",
					   "cpus = 99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fresh(NULL);
		file(bad[i]);
		assert_noted(1, CONFIG_BAD_VALUE, "allowed: all, or a number from 1 to 256");
		assert_int_equal(config.cpus, CONFIG_ALL_CPUS);
	}
	fresh(NULL);
	file("cpus = 256");
	assert_int_equal(config.cpus, 256);
	assert_int_equal(notes.count, 0);
}

/* Expect: each of these is refused and the default stays. */
static void timeout_takes_never_or_0_to_3600(void **state)
{
	static const char *const bad[] = { "timeout = 3601", "timeout = -1", "timeout = 5s", "timeout =", "timeout = ever" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fresh(NULL);
		file(bad[i]);
		assert_noted(1, CONFIG_BAD_VALUE, "allowed: never, or a number of seconds from 0 to 3600");
		assert_int_equal(config.timeout, 5);
	}
	fresh(NULL);
	file("timeout = 0");
	assert_int_equal(config.timeout, 0);
	file("timeout = never");
	assert_true(config.timeout == CONFIG_TIMEOUT_NEVER);
	assert_int_equal(notes.count, 0);
}

/* Expect: each of these is refused and what was set before stays. */
static void trace_takes_on_off_or_8_to_16384(void **state)
{
	static const char *const bad[] = { "trace = 7", "trace = 16385", "trace = 0", "trace = -1", "trace = 64K", "trace =", "trace = ON",
					   "trace = 99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fresh(NULL);
		config.trace = 100;
		file(bad[i]);
		assert_noted(1, CONFIG_BAD_VALUE, "allowed: off, on, or a number of KB from 8 to 16384");
		assert_int_equal(config.trace, 100);
	}
	fresh(NULL);
	file("trace = 8");
	assert_int_equal(config.trace, 8);
	file("trace = 16384");
	assert_int_equal(config.trace, 16384);
	file("trace = on");
	assert_int_equal(config.trace, CONFIG_TRACE_ON);
	options("trace=off");
	assert_int_equal(config.trace, 0);
	assert_int_equal(notes.count, 0);
}

/* Expect: commas and blanks part the words; `none` and nothing at all are no words. */
static void hide_takes_a_list(void **state)
{
	(void)state;
	file("hide = vpid,ept ,\tvpid");
	assert_int_equal(config.hide, 1 << HIDE_EPT | 1 << HIDE_VPID);
	options("hide=none");
	assert_int_equal(config.hide, 0);
	file("hide = ept");
	options("hide=");
	assert_int_equal(config.hide, 0);
	assert_int_equal(notes.count, 0);
}

/* Expect: the one wrong word is named, with all that are allowed, and nothing of the line is taken. */
static void an_unknown_feature_is_named_with_those_that_there_are(void **state)
{
	(void)state;
	file("hide = ept\nhide = vpid, eptt, ept-1g");
	assert_noted(2, CONFIG_BAD_VALUE, "hide cannot be \"eptt\"; allowed: none, vmx, ept, ept-execute-only, ");
	assert_noted(2, CONFIG_BAD_VALUE, ", xsaves; ignored");
	assert_int_equal(config.hide, 1 << HIDE_EPT);
}

/* Expect: a note; the next line is read. */
static void a_line_without_an_equals_sign_is_reported(void **state)
{
	(void)state;
	file("hello world\nlog = debug");
	assert_noted(1, CONFIG_NO_EQUALS, "\"hello world\" has no \"=\"");
	assert_int_equal(config.log, LOG_DEBUG);
}

/* Expect: a note; options stay empty. */
static void an_open_quotation_mark_is_reported(void **state)
{
	(void)state;
	file("options = a=\"b\nlog = debug");
	assert_noted(1, CONFIG_OPEN_QUOTE, "not closed");
	assert_string_equal(config.options, "");
	assert_int_equal(config.log, LOG_DEBUG);
}

/* Expect: quotes around the whole value are taken off, and only those. */
static void a_quoted_value_keeps_its_blanks(void **state)
{
	(void)state;
	file("options = \" a  # b \"");
	assert_string_equal(config.options, " a  # b ");
	file("options = \"a\" \"b\"");
	assert_string_equal(config.options, "\"a\" \"b\"");
	file("options = \"say \"\"hi\"\"\"");
	assert_string_equal(config.options, "say \"hi\"");
}

/* Expect: a note for each, none is taken. */
static void what_is_not_text_is_reported(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {
		{ "\xff\xfe" "l\0001\0", 6 },		/* UTF-16 */
		{ "log = \xc3(", 8 },			/* broken UTF-8 */
		{ "log = \xc0\xa0", 8 },		/* overlong */
		{ "log = \xed\xa0\x80", 9 },		/* surrogate */
		{ "log = \033[1m", 10 },		/* escape sequence */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fresh(NULL);
		config_read_file(&config, &notes, bad[i].text, bad[i].size);
		assert_noted(1, CONFIG_NOT_TEXT, "not UTF-8");
	}
}

/* Expect: the text of 4095 bytes is taken, that of 4096 reported and the old one kept. */
static void a_text_that_is_too_long_is_reported_and_the_old_one_kept(void **state)
{
	static char text[CONFIG_OPTIONS_SIZE + 32];

	(void)state;
	strcpy(text, "options = ");
	memset(text + 10, 'x', CONFIG_OPTIONS_SIZE - 1);
	file(text);
	assert_int_equal(notes.count, 0);
	assert_int_equal(strlen(config.options), CONFIG_OPTIONS_SIZE - 1);
	memset(text + 10, 'y', CONFIG_OPTIONS_SIZE);
	file(text);
	assert_noted(1, CONFIG_TOO_LONG, "the value of options is too long");
	assert_int_equal(config.options[0], 'x');

	fresh(NULL);
	memset(text, 0, sizeof(text));
	strcpy(text, "l1 = ");
	memset(text + 5, 'z', CONFIG_PATH_SIZE - 1);
	file(text);
	assert_noted(1, CONFIG_TOO_LONG, "a path");
	assert_string_equal(config.l1, "");
}

/* Expect: the later line counts, and a note says so. */
static void a_repeated_key_is_reported_and_the_later_counts(void **state)
{
	(void)state;
	file("log = info\nlog = debug\n");
	assert_noted(2, CONFIG_REPEATED, "log is set once more");
	assert_int_equal(config.log, LOG_DEBUG);
}

/* Expect: the load options' words replace the file's, others stay. */
static void load_options_win_over_the_file(void **state)
{
	(void)state;
	file("log = info\nconsole = com2\nl1 = a.efi\noptions = old");
	options("log=debug options=\"quiet x=\"\"1 2\"\"\"");
	assert_int_equal(notes.count, 0);
	assert_int_equal(config.log, LOG_DEBUG);
	assert_int_equal(config.console.base, 0x2f8);
	assert_string_equal(config.l1, "\\a.efi");
	assert_string_equal(config.options, "quiet x=\"1 2\"");
}

/* Expect: options meant for the file's image do not reach another. */
static void l1_in_the_load_options_clears_the_options_of_the_file(void **state)
{
	(void)state;
	file("l1 = \\EFI\\BOOT\\BOOTX64.EFI\noptions = l1=\\hyper.efi");
	options("l1=\\hyper.efi");
	assert_string_equal(config.l1, "\\hyper.efi");
	assert_string_equal(config.options, "");
}

/* Expect: it is no setting and no mistake. */
static void a_shells_program_name_is_passed_over(void **state)
{
	(void)state;
	options("FS0:\\EFI\\BOOT\\BOOTX64.EFI log=quiet");
	assert_int_equal(notes.count, 0);
	assert_int_equal(config.log, LOG_QUIET);
}

/* Expect: notes that name the load options. */
static void bad_load_options_are_reported(void **state)
{
	(void)state;
	options("log=quiet nonsense");
	assert_noted(0, CONFIG_NO_EQUALS, "load options: \"nonsense\" has no \"=\"");
	fresh(NULL);
	options("loader l2=x");
	assert_noted(0, CONFIG_UNKNOWN_KEY, "there is no key \"l2\"");
	fresh(NULL);
	options("l1=\"a b");
	assert_noted(0, CONFIG_OPEN_QUOTE, "not closed");
	fresh(NULL);
	options("log=loud");
	assert_noted(0, CONFIG_BAD_VALUE, "log cannot be \"loud\"");
}

/* Expect: as many notes as there is room, and the count of the others. */
static void notes_beyond_the_room_are_counted(void **state)
{
	static char text[8 * (CONFIG_NOTES + 5) + 1];

	(void)state;
	for (int i = 0; i < CONFIG_NOTES + 5; i++)
		strcat(text, "nothing\n");
	file(text);
	assert_int_equal(notes.count, CONFIG_NOTES);
	assert_int_equal(notes.dropped, 5);
}

/* Expect: bytes that a console may not know are shown as question marks. */
static void a_note_shows_only_ascii(void **state)
{
	(void)state;
	file("schl\xc3\xbcssel = 1");
	assert_noted(1, CONFIG_UNKNOWN_KEY, "\"schl??ssel\"");
}

/* Expect: the bare word serves in the load options, with a program's name in front or without one, and only it. */
static void check_is_a_word_of_its_own(void **state)
{
	static const struct {
		const char *text;
		u32 check;
	} cases[] = {
		{ "check", CONFIG_CHECK_ON }, { "testudo.efi check", CONFIG_CHECK_ON }, { "check log=debug", CONFIG_CHECK_ON },
		{ "check=save", CONFIG_CHECK_SAVE }, { "t.efi check=save", CONFIG_CHECK_SAVE }, { "check.efi", CONFIG_CHECK_OFF },
		{ "t.efi check=off", CONFIG_CHECK_OFF },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fresh(state);
		options(cases[i].text);
		assert_int_equal(config.check, cases[i].check);
		assert_int_equal(notes.count, 0);
	}
	fresh(state);
	file("check = save\n");
	assert_int_equal(config.check, CONFIG_CHECK_SAVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_file_leaves_the_defaults, fresh),
		cmocka_unit_test_setup(every_key_is_read, fresh),
		cmocka_unit_test_setup(a_file_of_a_windows_editor_is_read, fresh),
		cmocka_unit_test_setup(a_path_with_slashes_is_put_in_the_firmwares_form, fresh),
		cmocka_unit_test_setup(an_empty_path_means_nothing_to_start, fresh),
		cmocka_unit_test_setup(an_unknown_key_is_named_with_its_line, fresh),
		cmocka_unit_test_setup(a_bad_choice_is_named_and_changes_nothing, fresh),
		cmocka_unit_test_setup(cpus_takes_all_or_1_to_256, fresh),
		cmocka_unit_test_setup(timeout_takes_never_or_0_to_3600, fresh),
		cmocka_unit_test_setup(trace_takes_on_off_or_8_to_16384, fresh),
		cmocka_unit_test_setup(hide_takes_a_list, fresh),
		cmocka_unit_test_setup(an_unknown_feature_is_named_with_those_that_there_are, fresh),
		cmocka_unit_test_setup(a_line_without_an_equals_sign_is_reported, fresh),
		cmocka_unit_test_setup(an_open_quotation_mark_is_reported, fresh),
		cmocka_unit_test_setup(a_quoted_value_keeps_its_blanks, fresh),
		cmocka_unit_test_setup(what_is_not_text_is_reported, fresh),
		cmocka_unit_test_setup(a_text_that_is_too_long_is_reported_and_the_old_one_kept, fresh),
		cmocka_unit_test_setup(a_repeated_key_is_reported_and_the_later_counts, fresh),
		cmocka_unit_test_setup(load_options_win_over_the_file, fresh),
		cmocka_unit_test_setup(l1_in_the_load_options_clears_the_options_of_the_file, fresh),
		cmocka_unit_test_setup(a_shells_program_name_is_passed_over, fresh),
		cmocka_unit_test_setup(bad_load_options_are_reported, fresh),
		cmocka_unit_test_setup(notes_beyond_the_room_are_counted, fresh),
		cmocka_unit_test_setup(a_note_shows_only_ascii, fresh),
		cmocka_unit_test_setup(check_is_a_word_of_its_own, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
