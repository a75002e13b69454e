/* SPDX-License-Identifier: MIT */
/*
 * What `check` tells: everything that Testudo needs or offers is looked for,
 * and the lines and the verdict say what was found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/bits.h"
#include "boot/uefi/machine_report.h"
#include "vmx/controls.h"

/* What a line may have on the console, its prefix and end taken off. */
#define CONSOLE_LINE 490
#define MAX_LINES 128
/* Of the words that describe a finding. */
#define NEEDED 22

static struct {
	unsigned int count;
	char line[MAX_LINES][REPORT_LINE_SIZE];
} report;

static int fresh(void **state)
{
	(void)state;
	memset(&report, 0, sizeof(report));
	return 0;
}

static void keep(void *context, const char *line)
{
	(void)context;
	assert_true(report.count < MAX_LINES);
	assert_true(strlen(line) < REPORT_LINE_SIZE);
	strcpy(report.line[report.count++], line);
}

static u32 report_on(const struct machine *machine)
{
	report.count = 0;
	return report_machine(machine, keep, NULL);
}

static unsigned int lines_with(const char *words)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < report.count; i++)
		found += strstr(report.line[i], words) != NULL;
	return found;
}

static void assert_said(const char *words)
{
	if (!lines_with(words))
		fail_msg("no line says \"%s\"", words);
}

/* It has everything. */
static struct machine whole(void)
{
	const u64 all = ~UINT64_C(0);

	return (struct machine){
		.vendor = "GenuineIntel", .brand = "A processor", .signature = 0x50654, .has_vmx = true, .has_nx = true,
		.basic = UINT64_C(6) << 50 | BIT(55), .pin = all, .proc = all, .exit = all, .entry = all, .proc2 = all,
		.ept_vpid = all, .misc = all, .vmfunc = all,
	};
}

static void a_whole_machine_lacks_nothing(void **state)
{
	struct machine machine = whole();

	(void)state;
	assert_int_equal(report_on(&machine), 0);
	assert_int_equal(lines_with("MISSING") + lines_with("unknown"), 0);
	assert_said("found: 22 of 22 needed, 57 of 57 optional");
	assert_said("family 6, model 85 (0x55), stepping 4");
	assert_said("\"A processor\"");
	assert_said("none says that it is beneath");
	report_verdict(0, keep, NULL);
	assert_said("verdict: Testudo can run here");
}

/* Every processor with VMX has had these since the first, so that nobody has to be told of them. */
static bool is_everywhere(const struct control_info *control)
{
	static const struct {
		u8 word;
		u32 bits;
	} old[] = {
		{ WORD_PIN, 1u << 0 },
		{ WORD_PROC, 1u << 2 | 1u << 3 | 1u << 7 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 15 | 1u << 16 | 1u << 19 |
				     1u << 20 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 29 | 1u << 30 },
		{ WORD_EXIT, 1u << 15 },
		{ WORD_ENTRY, 1u << 9 },
	};

	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (old[i].word == control->word && (old[i].bits >> control->bit & 1))
			return true;
	return false;
}

static u64 *capability(struct machine *machine, u8 control_word)
{
	u64 *const words[CONTROL_WORD_COUNT] = {
		[WORD_PIN] = &machine->pin, [WORD_PROC] = &machine->proc, [WORD_PROC2] = &machine->proc2,
		[WORD_EXIT] = &machine->exit, [WORD_ENTRY] = &machine->entry,
	};

	return words[control_word];
}

/* Expect: a processor without one of them has a line with its number; without a control that nobody gets, there is none. */
static void every_control_that_is_used_or_offered_is_told_of(void **state)
{
	(void)state;
	for (u32 i = 0; i < controls_count; i++) {
		const struct control_info *control = &controls[i];
		struct machine machine = whole();
		bool used = control->need != NEED_NO || control->offered;
		char number[16];

		*capability(&machine, control->word) &= ~BIT(32 + control->bit);
		report_on(&machine);
		snprintf(number, sizeof(number), "control %u)", control->bit);
		if ((lines_with("MISSING") != 0) != (used && !is_everywhere(control)))
			fail_msg("%s: %u lines", control->name, lines_with("MISSING"));
		for (unsigned int l = 0; l < report.count; l++)
			if (strstr(report.line[l], "MISSING") && !strstr(report.line[l], number))
				fail_msg("%s: \"%s\"", control->name, report.line[l]);
	}
}

/* Expect: of each other capability word the bits that are looked at, one line each. */
static void other_capabilities_are_told_of(void **state)
{
	static const struct {
		size_t word;
		u64 bits;
	} words[] = {
		{ MACHINE_WORD(ept_vpid), BIT(0) | BIT(6) | BIT(14) | BIT(16) | BIT(17) | BIT(20) | BIT(21) | BIT(22) | BIT(25) | BIT(26) |
						  BIT(32) | BIT(40) | BIT(41) | BIT(42) | BIT(43) },
		{ MACHINE_WORD(misc), BIT(8) | BIT(29) | BIT(30) },
		{ MACHINE_WORD(vmfunc), BIT(0) },
	};

	(void)state;
	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			struct machine machine = whole();

			*(u64 *)(void *)((char *)&machine + words[w].word) &= ~BIT(bit);
			report_on(&machine);
			if (lines_with("MISSING") != (words[w].bits >> bit & 1))
				fail_msg("word %zu, bit %u: %u lines", w, bit, lines_with("MISSING"));
		}
	}
}

/* Expect: of VMX nothing is said but that it is missing. */
static void without_vmx_the_rest_is_unknown(void **state)
{
	struct machine machine = { .vendor = "GenuineIntel", .has_nx = true };

	(void)state;
	assert_int_equal(report_on(&machine), NEEDED - 2);
	assert_int_equal(lines_with("MISSING"), 1);
	assert_said("MISSING  VMX (CPUID.1:ECX bit 5): all of Testudo; cause: the processor has no VMX, or the firmware hides it; "
		    "cure: look");
	assert_said("unknown  VMCS shadowing");
	report_verdict(NEEDED - 2, keep, NULL);
	assert_said("verdict: Testudo cannot run here");
}

static void without_ept_its_details_are_unknown(void **state)
{
	struct machine machine = whole();

	(void)state;
	machine.proc2 &= ~BIT(33);
	machine.ept_vpid = 0;
	assert_int_equal(report_on(&machine), 6);
	assert_int_equal(lines_with("unknown"), 5);
	assert_said("MISSING  extended page tables");
}

static void a_hypervisor_beneath_is_named(void **state)
{
	struct machine machine = whole();

	(void)state;
	machine.has_hypervisor = true;
	strcpy(machine.hypervisor, "KVMKVMKVM");
	report_on(&machine);
	assert_said("\"KVMKVMKVM\" is beneath");
	machine.has_hypervisor = false;
	machine.is_testudo = true;
	strcpy(machine.hypervisor, "Testudo L0  ");
	report_on(&machine);
	assert_said("hypervisor: Testudo is beneath");
	assert_int_equal(lines_with("hypervisor: "), 1);
}

/* Expect: the longest reasons of both kinds, and the longest brand, are not cut. */
static void lines_are_whole(void **state)
{
	struct machine machine = { .has_hypervisor = true, .hypervisor = "TCGTCGTCGTCG", .vendor = "GenuineIntel", .cr4 = ~UINT64_C(0) };

	(void)state;
	memset(machine.brand, 'x', sizeof(machine.brand) - 1);
	for (unsigned int i = 0; i < 4; i++) {
		report_on(&machine);
		for (unsigned int l = 0; l < report.count; l++)
			assert_true(strlen(report.line[l]) < REPORT_LINE_SIZE - 1 && strlen(report.line[l]) < CONSOLE_LINE);
		machine.has_hypervisor = i & 1;
		machine.has_vmx = i & 2;
		machine.feature_control = 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_machine_lacks_nothing, fresh),
		cmocka_unit_test_setup(every_control_that_is_used_or_offered_is_told_of, fresh),
		cmocka_unit_test_setup(other_capabilities_are_told_of, fresh),
		cmocka_unit_test_setup(without_vmx_the_rest_is_unknown, fresh),
		cmocka_unit_test_setup(without_ept_its_details_are_unknown, fresh),
		cmocka_unit_test_setup(a_hypervisor_beneath_is_named, fresh),
		cmocka_unit_test_setup(lines_are_whole, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
