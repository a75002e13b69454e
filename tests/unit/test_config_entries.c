/* SPDX-License-Identifier: MIT */
/*
 * Entries of the configuration file: what belongs to which, which one is
 * chosen, and what a mistake costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/handoff.h"
#include "boot/uefi/config.h"

static struct config config;
static struct config_notes notes;
static const char *text;

static int fresh(void **state)
{
	(void)state;
	config_defaults(&config);
	memset(&notes, 0, sizeof(notes));
	return 0;
}

static void file(const char *lines)
{
	text = lines;
	config_read_file(&config, &notes, lines, strlen(lines));
}

static void options(const char *words)
{
	config_read_load_options(&config, &notes, words, strlen(words));
}

static void assert_noted(u32 line, enum config_problem problem, const char *words)
{
	char told[CONFIG_LINE_SIZE];

	assert_int_equal(notes.count, 1);
	assert_int_equal(notes.note[0].line, line);
	assert_int_equal(notes.note[0].problem, problem);
	config_describe(&config, &notes.note[0], told, sizeof(told));
	if (!strstr(told, words))
		fail_msg("\"%s\" does not say \"%s\"", told, words);
}

#define TWO \
	"console = com2\nlog = debug\nl1 = \\global.efi\noptions = for all\n" \
	"[kvm]  # the usual one\ntitle = Debian with KVM\nl1 = vmlinuz.efi\noptions = quiet\nlog = trace\ncpus = 2\n\n" \
	"[ xen ]\nl1 = xen.efi\nshadowing = off\nleaves = off\nrefusals = off\nhide = ept\n"

/* Expect: names, titles and lines; the entries' settings are not in force. */
static void entries_are_listed_and_change_nothing_yet(void **state)
{
	(void)state;
	file(TWO);
	assert_int_equal(notes.count, 0);
	assert_int_equal(config.entries, 2);
	assert_string_equal(config.entry[0].name, "kvm");
	assert_string_equal(config.entry[0].title, "Debian with KVM");
	assert_int_equal(config.entry[0].line, 5);
	assert_string_equal(config.entry[1].name, "xen");
	assert_string_equal(config.entry[1].title, "");
	assert_int_equal(config.entry[1].line, 12);
	assert_string_equal(config.l1, "\\global.efi");
	assert_string_equal(config.options, "for all");
	assert_int_equal(config.log, LOG_DEBUG);
	assert_int_equal(config.shadowing, 1);
	assert_int_equal(config.hide, 0);
}

/* Expect: its own settings, and the file's where it has none. */
static void an_entry_in_use_goes_over_the_files_settings(void **state)
{
	(void)state;
	file(TWO);
	config_use_entry(&config, text, 0);
	assert_string_equal(config.l1, "\\vmlinuz.efi");
	assert_string_equal(config.options, "quiet");
	assert_int_equal(config.log, LOG_TRACE);
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.console.base, 0x2f8);
	assert_int_equal(config.shadowing, 1);
}

/* Expect: the file's options are for the file's image; here there are none. */
static void an_image_of_its_own_gets_no_options_of_the_files(void **state)
{
	(void)state;
	file(TWO);
	config_use_entry(&config, text, 1);
	assert_string_equal(config.l1, "\\xen.efi");
	assert_string_equal(config.options, "");
	assert_int_equal(config.log, LOG_DEBUG);
	assert_int_equal(config.shadowing, 0);
	assert_int_equal(config.leaves, 0);
	assert_int_equal(config.refusals, 0);
	assert_int_equal(config.hide, 2);
}

/* Expect: the file's image with the entry's options, and the file's options where the entry has none. */
static void entries_may_share_an_image(void **state)
{
	(void)state;
	file("l1 = a.efi\noptions = x\n[one]\noptions = y\n[two]\nhide = vpid");
	config_use_entry(&config, text, 0);
	assert_string_equal(config.l1, "\\a.efi");
	assert_string_equal(config.options, "y");
	config_defaults(&config);
	file("l1 = a.efi\noptions = x\n[one]\noptions = y\n[two]\nhide = vpid");
	config_use_entry(&config, text, 1);
	assert_string_equal(config.options, "x");
	assert_int_equal(notes.count, 0);
}

/* Expect: none, the only one, then a question, unless time is 0. */
static void the_menu_is_for_several_entries(void **state)
{
	(void)state;
	file("l1 = a.efi");
	assert_int_equal(config_choice(&config, false), CONFIG_NO_ENTRY);
	fresh(NULL);
	file("[only]\nl1 = a.efi");
	assert_int_equal(config_choice(&config, false), 0);
	fresh(NULL);
	file("[a]\n[b]");
	assert_int_equal(config_choice(&config, false), CONFIG_ASK);
	assert_int_equal(config.default_entry, 0);
	fresh(NULL);
	file("default = b\ntimeout = 0\n[a]\n[b]");
	assert_int_equal(config_choice(&config, false), 1);
	options("timeout=never");
	assert_int_equal(config_choice(&config, false), CONFIG_ASK);
	assert_int_equal(config.default_entry, 1);
	assert_int_equal(notes.count, 0);
}

/* Expect: no menu: what is to be started has been said. */
static void the_load_options_choose(void **state)
{
	(void)state;
	file(TWO);
	options("entry=xen");
	assert_int_equal(config_choice(&config, false), 1);
	assert_int_equal(config_choice(&config, true), 1);
	fresh(NULL);
	file(TWO);
	options("l1=other.efi");
	assert_int_equal(config_choice(&config, false), CONFIG_NO_ENTRY);
	fresh(NULL);
	file(TWO);
	options("log=quiet");
	assert_int_equal(config_choice(&config, false), CONFIG_ASK);
	assert_int_equal(notes.count, 0);
}

/* Expect: only what the load options name. */
static void under_testudo_nothing_of_the_file_is_started(void **state)
{
	(void)state;
	file(TWO);
	options("log=quiet");
	assert_int_equal(config_choice(&config, true), CONFIG_NO_ENTRY);
}

/* Expect: read once more after the entry, they win over it, without a second note. */
static void load_options_win_over_an_entry(void **state)
{
	const char *words = "entry=kvm log=quiet nonsense";

	(void)state;
	file(TWO);
	options(words);
	config_use_entry(&config, text, (u32)config_choice(&config, false));
	assert_int_equal(config.log, LOG_TRACE);
	config_read_load_options(&config, NULL, words, strlen(words));
	assert_int_equal(config.log, LOG_QUIET);
	assert_string_equal(config.l1, "\\vmlinuz.efi");
	assert_string_equal(config.options, "quiet");
	assert_noted(0, CONFIG_NO_EQUALS, "nonsense");
}

/* Expect: a note with those that there are; the first one counts, or the menu asks. */
static void an_unknown_entry_is_named_with_those_that_there_are(void **state)
{
	(void)state;
	file("# x\ndefault = linux\n[kvm]\n[xen]");
	assert_noted(2, CONFIG_NO_SUCH_ENTRY, "line 2: there is no entry \"linux\"; there are kvm, xen; ignored");
	assert_int_equal(config.default_entry, 0);
	fresh(NULL);
	file("[kvm]\n[xen]");
	options("entry=linux");
	assert_noted(0, CONFIG_NO_SUCH_ENTRY, "load options: there is no entry \"linux\"; there are kvm, xen");
	assert_int_equal(config_choice(&config, false), CONFIG_ASK);
	fresh(NULL);
	file("default = linux");
	assert_noted(1, CONFIG_NO_SUCH_ENTRY, "there is none");
}

/* Expect: a note at the line, though the entry is not in use. */
static void mistakes_in_an_entry_are_reported(void **state)
{
	(void)state;
	file("[a]\nl1 = a.efi\n[b]\nlog = loud\nhide = ept");
	assert_noted(4, CONFIG_BAD_VALUE, "line 4: log cannot be \"loud\"");
	config_use_entry(&config, text, 1);
	assert_int_equal(config.log, LOG_INFO);
	assert_int_equal(config.hide, 2);
	assert_int_equal(notes.count, 1);
}

/* Expect: a note that says where the key belongs. */
static void a_key_at_the_wrong_place_is_reported(void **state)
{
	(void)state;
	file("[a]\nconsole = com2\n");
	assert_noted(2, CONFIG_MISPLACED_KEY, "console has no effect here: it stands before the first [entry]; ignored");
	assert_int_equal(config.console.base, 0x3f8);
	fresh(NULL);
	file("title = x\n[a]");
	assert_noted(1, CONFIG_MISPLACED_KEY, "title has no effect here: it stands behind an [entry]");
	fresh(NULL);
	file("entry = a\n[a]");
	assert_noted(1, CONFIG_MISPLACED_KEY, "entry has no effect here: it stands in the load options");
	fresh(NULL);
	file("[a]");
	options("default=a");
	assert_noted(0, CONFIG_MISPLACED_KEY, "before the first [entry]");
}

/* Expect: the keys of an entry, not those of the file. */
static void an_unknown_key_in_an_entry_is_named_with_what_an_entry_has(void **state)
{
	(void)state;
	file("[a]\ncolour = blue");
	assert_noted(2, CONFIG_UNKNOWN_KEY, "there are l1, options, title, log, cpus, leaves, refusals, shadowing, trace, hide; ignored");
}

/* Expect: one note, and what stands below is nobody's: neither the file's nor the entry's before. */
static void a_heading_that_is_none_takes_its_settings_with_it(void **state)
{
	static const char *const bad[] = { "[]", "[", "[a", "[a b]", "[a]]", "[a] b", "[\xc3\xa4]",
					   "[12345678901234567890123456789012]", "[a\"]" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char lines[200];

		fresh(NULL);
		snprintf(lines, sizeof(lines), "[first]\n%s\nlog = trace\nno equals\n[last]\nlog = debug", bad[i]);
		file(lines);
		assert_noted(2, CONFIG_BAD_HEADING, "heads no entry: write [name]");
		assert_int_equal(config.entries, 2);
		assert_string_equal(config.entry[1].name, "last");
		config_use_entry(&config, text, 0);
		assert_int_equal(config.log, LOG_INFO);
		config_use_entry(&config, text, 1);
		assert_int_equal(config.log, LOG_DEBUG);
	}
}

/* Expect: the first of them stays. */
static void a_second_entry_of_the_same_name_is_reported(void **state)
{
	(void)state;
	file("[a]\nlog = debug\n[a]\nlog = trace");
	assert_noted(3, CONFIG_REPEATED_ENTRY, "there is an entry [a] already");
	assert_int_equal(config.entries, 1);
	config_use_entry(&config, text, 0);
	assert_int_equal(config.log, LOG_DEBUG);
}

/* Expect: 16 of 17, and a note. */
static void entries_beyond_the_room_are_reported(void **state)
{
	static char lines[32 * (CONFIG_ENTRIES + 1)];

	(void)state;
	for (int i = 0; i <= CONFIG_ENTRIES; i++)
		snprintf(lines + strlen(lines), 32, "[n%d]\nlog=trace\n", i);
	file(lines);
	assert_noted(2 * CONFIG_ENTRIES + 1, CONFIG_TOO_MANY_ENTRIES, "one entry more than the 16 that are possible");
	assert_int_equal(config.entries, CONFIG_ENTRIES);
	config_use_entry(&config, text, CONFIG_ENTRIES - 1);
	assert_int_equal(config.log, LOG_TRACE);
}

/* Expect: a repetition is one within an entry only. */
static void the_same_key_in_two_entries_is_no_repetition(void **state)
{
	(void)state;
	file("log = info\n[a]\nlog = debug\n[b]\nlog = trace\n");
	assert_int_equal(notes.count, 0);
	file("[c]\nlog = debug\nlog = trace\n");
	assert_noted(3, CONFIG_REPEATED, "log is set once more");
}

/* Expect: a title of 63 bytes, and a note for 64. */
static void a_title_has_an_end(void **state)
{
	char lines[200];

	(void)state;
	snprintf(lines, sizeof(lines), "[a]\ntitle = %063d", 1);
	file(lines);
	assert_int_equal(notes.count, 0);
	assert_int_equal(strlen(config.entry[0].title), 63);
	fresh(NULL);
	snprintf(lines, sizeof(lines), "[a]\ntitle = %064d", 1);
	file(lines);
	assert_noted(2, CONFIG_TOO_LONG, "the value of title is too long; allowed: text of at most 63 bytes");
}

/* Expect: every note's words fit in a line of the console, the ignored's end included. */
static void the_longest_notes_are_whole(void **state)
{
	static const char *const longest[] = {
		"hide = 12345678901234567890123456789012345678901234567890",
		"12345678901234567890123456789012345678901234567890 = 1",
		"[a]\n12345678901234567890123456789012345678901234567890 = 1",
		"[12345678901234567890123456789012345678901234567890]",
	};
	char told[CONFIG_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
		fresh(NULL);
		file(longest[i]);
		assert_int_equal(notes.count, 1);
		notes.note[0].line = UINT32_MAX;
		config_describe(&config, &notes.note[0], told, sizeof(told));
		assert_non_null(strstr(told, " ignored"));
	}
}

/* Expect: entry ends where the next heading begins, with CR LF, a byte-order mark and no last line end. */
static void a_windows_editors_entries_are_read(void **state)
{
	(void)state;
	file("\xef\xbb\xbf[a]\r\nlog = debug\r\n\r\n[b]\r\nlog = trace");
	assert_int_equal(notes.count, 0);
	config_use_entry(&config, text, 0);
	assert_int_equal(config.log, LOG_DEBUG);
	config_use_entry(&config, text, 1);
	assert_int_equal(config.log, LOG_TRACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(entries_are_listed_and_change_nothing_yet, fresh),
		cmocka_unit_test_setup(an_entry_in_use_goes_over_the_files_settings, fresh),
		cmocka_unit_test_setup(an_image_of_its_own_gets_no_options_of_the_files, fresh),
		cmocka_unit_test_setup(entries_may_share_an_image, fresh),
		cmocka_unit_test_setup(the_menu_is_for_several_entries, fresh),
		cmocka_unit_test_setup(the_load_options_choose, fresh),
		cmocka_unit_test_setup(under_testudo_nothing_of_the_file_is_started, fresh),
		cmocka_unit_test_setup(load_options_win_over_an_entry, fresh),
		cmocka_unit_test_setup(an_unknown_entry_is_named_with_those_that_there_are, fresh),
		cmocka_unit_test_setup(mistakes_in_an_entry_are_reported, fresh),
		cmocka_unit_test_setup(a_key_at_the_wrong_place_is_reported, fresh),
		cmocka_unit_test_setup(an_unknown_key_in_an_entry_is_named_with_what_an_entry_has, fresh),
		cmocka_unit_test_setup(a_heading_that_is_none_takes_its_settings_with_it, fresh),
		cmocka_unit_test_setup(a_second_entry_of_the_same_name_is_reported, fresh),
		cmocka_unit_test_setup(entries_beyond_the_room_are_reported, fresh),
		cmocka_unit_test_setup(the_same_key_in_two_entries_is_no_repetition, fresh),
		cmocka_unit_test_setup(a_title_has_an_end, fresh),
		cmocka_unit_test_setup(the_longest_notes_are_whole, fresh),
		cmocka_unit_test_setup(a_windows_editors_entries_are_read, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
