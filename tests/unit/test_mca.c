/* SPDX-License-Identifier: MIT */
/*
 * Machine-check registers in words: severity, class of the error, what is lost,
 * and that no text outgrows its room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/bits.h"
#include "drivers/mca.h"

#define VALID BIT(63)
#define UC BIT(61)
#define EN BIT(60)
#define PCC BIT(57)
#define S BIT(56)
#define AR BIT(55)
#define RECOVERY BIT(24)
#define THRESHOLDS BIT(11)

static const char *status_text(u64 cap, u64 status)
{
	static char text[200];
	const struct mca_state state = { .cap = cap };
	const struct mca_bank bank = { .status = status };

	mca_describe_status(&state, &bank, text, sizeof(text));
	return text;
}

static void assert_says(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* Expect: the classes of SDM "UCR Error Classification", and only where software recovery exists. */
static void severity_is_as_the_flags_say(void **state)
{
	static const struct {
		u64 cap, status;
		const char *start;
	} cases[] = {
		{ 0, EN, "corrected, " },
		{ RECOVERY, EN | S | AR, "corrected, " },
		{ 0, UC | EN, "uncorrected, no error" },
		{ 0, UC | EN | S | AR, "uncorrected, no error" },
		{ 0, UC | EN | PCC, "uncorrected and fatal: processor context corrupt (PCC), " },
		{ RECOVERY, UC | EN | PCC | S | AR, "uncorrected and fatal" },
		{ RECOVERY, UC | EN, "uncorrected, no action required (UCNA), " },
		{ RECOVERY, UC | EN | AR, "uncorrected, no action required (UCNA), " },
		{ RECOVERY, UC | EN | S, "uncorrected, recovery optional (SRAO), " },
		{ RECOVERY, UC | EN | S | AR, "uncorrected, recovery required (SRAR), " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_ptr_equal(strstr(status_text(cases[i].cap, VALID | cases[i].status), cases[i].start),
				 status_text(cases[i].cap, VALID | cases[i].status));
}

static void codes_have_the_names_of_their_classes(void **state)
{
	static const struct {
		u16 code;
		const char *name;
	} cases[] = {
		{ 0x0000, "no error (code 0x0," }, { 0x0001, "unclassified error" }, { 0x0002, "microcode ROM" },
		{ 0x0003, "external error" },
		{ 0x0004, "functional redundancy" }, { 0x0005, "internal parity" }, { 0x0006, "SMM" },
		{ 0x0400, "internal timer" }, { 0x0401, "internal unclassified" }, { 0x07ff, "internal unclassified" },
		{ 0x0e0b, "I/O error" }, { 0x000c, "generic cache" }, { 0x000f, "generic cache" }, { 0x100e, "generic cache" },
		{ 0x0010, "TLB error" }, { 0x101a, "TLB error" }, { 0x0151, "cache hierarchy error (code 0x151," },
		{ 0x1179, "cache hierarchy" }, { 0x009f, "memory controller" }, { 0x10cf, "memory controller" },
		{ 0x0280, "extended memory" }, { 0x0800, "bus or interconnect" }, { 0x1e0f, "bus or interconnect" },
		{ 0x0007, "no architectural class" }, { 0x0020, "no architectural class" }, { 0x4000, "no architectural class" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_says(status_text(0, VALID | UC | EN | cases[i].code), cases[i].name);
}

static void what_is_lost_or_counted_is_said(void **state)
{
	(void)state;
	assert_says(status_text(0, VALID | EN | BIT(62)), "an earlier one was lost (OVER)");
	assert_says(status_text(0, VALID), "not enabled (no EN)");
	assert_null(strstr(status_text(0, VALID | EN), "EN)"));
	assert_says(status_text(0, VALID | EN | UINT64_C(7) << 38), "7 counted");
	assert_null(strstr(status_text(0, VALID | EN | UC | UINT64_C(7) << 38), "counted"));
	assert_says(status_text(THRESHOLDS, VALID | EN | UINT64_C(2) << 53), "above its threshold");
	assert_null(strstr(status_text(0, VALID | EN | UINT64_C(2) << 53), "threshold"));
	assert_says(status_text(0, VALID | EN | 0xabcd0000), "model's own 0xabcd");
}

static void the_global_status_is_told_flag_by_flag(void **state)
{
	struct mca_state mca = { .status = BIT(2) | BIT(0) };
	char text[200];

	(void)state;
	mca_describe_global(&mca, text, sizeof(text));
	assert_string_equal(text, "in progress (MCIP), the interrupted program could go on (RIPV), "
				  "its instruction is not known to be the cause (no EIPV)");
	mca.status = BIT(1) | BIT(3);
	mca_describe_global(&mca, text, sizeof(text));
	assert_string_equal(text, "none in progress (no MCIP), the interrupted program cannot go on (no RIPV), "
				  "its instruction is the cause (EIPV), signalled to this processor alone (LMCE_S)");
}

static void misc_is_architectural_only_with_software_recovery(void **state)
{
	struct mca_state mca = { .cap = 0 };
	const struct mca_bank bank = { .misc = 2 << 6 | 12 };
	char text[200];

	(void)state;
	mca_describe_misc(&mca, &bank, text, sizeof(text));
	assert_string_equal(text, "the model's own");
	mca.cap = RECOVERY;
	mca_describe_misc(&mca, &bank, text, sizeof(text));
	assert_string_equal(text, "physical address, from bit 12 up");
}

/* Expect: cut and terminated, whatever the registers hold. */
static void no_text_outgrows_its_room(void **state)
{
	struct mca_state mca = { 0 };
	struct mca_bank bank;

	(void)state;
	srand(1);
	for (int i = 0; i < 2000; i++) {
		size_t size = 1 + (size_t)rand() % 200;
		char *text = malloc(size);

		mca.cap = (u64)rand() << 32 ^ (u64)rand();
		mca.status = (u64)rand();
		bank.status = (u64)rand() << 33 ^ (u64)rand() << 11 ^ (u64)rand();
		bank.misc = (u64)rand();
		mca_describe_status(&mca, &bank, text, size);
		assert_true(strlen(text) < size);
		mca_describe_global(&mca, text, size);
		assert_true(strlen(text) < size);
		mca_describe_misc(&mca, &bank, text, size);
		assert_true(strlen(text) < size);
		free(text);
	}
}

static void validity_bits_are_the_sdms(void **state)
{
	const struct mca_bank bank = { .status = BIT(63) | BIT(58) }, other = { .status = BIT(59) };

	(void)state;
	assert_true(mca_bank_is_valid(&bank) && mca_has_address(&bank) && !mca_has_misc(&bank));
	assert_true(!mca_bank_is_valid(&other) && !mca_has_address(&other) && mca_has_misc(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(severity_is_as_the_flags_say),
		cmocka_unit_test(codes_have_the_names_of_their_classes),
		cmocka_unit_test(what_is_lost_or_counted_is_said),
		cmocka_unit_test(the_global_status_is_told_flag_by_flag),
		cmocka_unit_test(misc_is_architectural_only_with_software_recovery),
		cmocka_unit_test(no_text_outgrows_its_room),
		cmocka_unit_test(validity_bits_are_the_sdms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
