/* SPDX-License-Identifier: MIT */
/*
 * controls.def and the shadow column of vmcs_fields.def as policy: what may not
 * be said there, whoever adds a row (what is merged how: test_merge.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmx/controls.h"

static const char *const prefixes[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = "PIN_", [WORD_PROC] = "PROC_", [WORD_PROC2] = "PROC2_", [WORD_EXIT] = "EXIT_", [WORD_ENTRY] = "ENTRY_",
};

static void every_control_has_a_word_a_bit_and_a_name(void **state)
{
	(void)state;
	assert_true(controls_count > 80);
	for (u32 i = 0; i < controls_count; i++) {
		assert_true(controls[i].word < CONTROL_WORD_COUNT && controls[i].bit < 32);
		assert_int_equal(strncmp(controls[i].name, prefixes[controls[i].word], strlen(prefixes[controls[i].word])), 0);
		assert_true(controls[i].hidden_because == NULL || strlen(controls[i].hidden_because) > 10);
	}
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		assert_non_null(control_word_names[word]);
}

/* Expect: bits as SDM Tables "Definitions of … Controls" have them, one or two of each word. */
static void masks_are_the_sdms(void **state)
{
	(void)state;
	assert_true(PIN_EXTERNAL_INTERRUPT_EXITING == 1 && PIN_PROCESS_POSTED_INTERRUPTS == 0x80);
	assert_true(PROC_HLT_EXITING == 0x80 && PROC_USE_MSR_BITMAPS == 0x10000000 && PROC_ACTIVATE_SECONDARY_CONTROLS == 0x80000000);
	assert_true(PROC2_ENABLE_EPT == 2 && PROC2_UNRESTRICTED_GUEST == 0x80 && PROC2_USE_TSC_SCALING == 0x2000000);
	assert_true(EXIT_HOST_ADDRESS_SPACE_SIZE == 0x200 && EXIT_SAVE_PREEMPTION_TIMER == 0x400000);
	assert_true(ENTRY_IA32E_MODE_GUEST == 0x200 && ENTRY_LOAD_IA32_EFER == 0x8000);
}

/* Expect: an offered control reaches vmcs02, but for those that L0 carries out itself, each of which is one. */
static void an_offered_control_takes_effect(void **state)
{
	static const char *const carried_out_by_l0[] = {
		"PROC2_ENABLE_PML",
		"PROC2_EPT_VIOLATION_VE",
		"EXIT_LOAD_IA32_PERF_GLOBAL_CTRL",
		"EXIT_CLEAR_UINV",
		"EXIT_LOAD_CET_STATE",
		"EXIT_LOAD_PKRS",
		"EXIT_SAVE_IA32_PERF_GLOBAL_CTRL",
	};
	u32 found = 0;

	(void)state;
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].offered && controls[i].merge == MERGE_OFF)
			assert_string_equal(controls[i].name, carried_out_by_l0[found++]);
	assert_int_equal(found, array_size(carried_out_by_l0));
}

/* Expect: "as in vmcs01" only of what L0 sets there; else L1 would be offered what never is set. */
static void a_control_left_to_l0_is_one_it_sets(void **state)
{
	(void)state;
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].merge == MERGE_L0)
			assert_int_not_equal(controls[i].need, NEED_NO);
}

/* Expect: L0 cannot do without, so vmcs02 has it too; with L1's choice only where less is safe. */
static void what_l0_must_have_is_not_off(void **state)
{
	static const char *const l1_may_do_without[] = { "PROC_USE_MSR_BITMAPS", "PROC2_UNRESTRICTED_GUEST" };
	u32 found = 0;

	(void)state;
	for (u32 i = 0; i < controls_count; i++) {
		if (controls[i].need != NEED_MUST)
			continue;
		assert_true(controls[i].offered);
		if (controls[i].merge == MERGE_L1)
			assert_string_equal(controls[i].name, l1_may_do_without[found++]);
		else
			assert_true(controls[i].merge == MERGE_L0 || controls[i].merge == MERGE_OR);
	}
	assert_int_equal(found, array_size(l1_may_do_without));
}

/* Expect: L1 cannot write through its shadow VMCS what holds an address, or a control word with bits of L0's own. */
static void nothing_dangerous_is_written_without_an_exit(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u16 encoding = vmcs_fields[i].field.encoding;
		enum vmcs_width width = vmcs_encoding_width(encoding);

		if (vmcs_fields[i].shadow != SHADOW_RW)
			continue;
		assert_int_not_equal(vmcs_fields[i].class, CLASS_L0);
		assert_int_not_equal(vmcs_fields[i].class, CLASS_ABSENT);
		if (vmcs_encoding_type(encoding) == TYPE_CONTROL)
			assert_true(width == WIDTH_32 || width == WIDTH_NATURAL);
		for (u32 word = WORD_PROC2; word < CONTROL_WORD_COUNT; word++)
			assert_int_not_equal(control_fields[word].index, i);
	}
}

/* Expect: what L1 reads without an exit is in vmcs12 at each exit: information, saved every time, or never elsewhere. */
static void read_only_shadowing_is_of_what_an_exit_tells(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].shadow == SHADOW_RO)
			assert_true(vmcs_fields[i].class == CLASS_INFO || i == VMCS_INDEX_GUEST_CS_ACCESS_RIGHTS ||
				    i == VMCS_INDEX_GUEST_SS_ACCESS_RIGHTS || i == VMCS_INDEX_PML_INDEX);
	/* L0 changes it while L1 looks on. */
	assert_int_equal(vmcs_fields[VMCS_INDEX_VM_INSTRUCTION_ERROR].shadow, SHADOW_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_control_has_a_word_a_bit_and_a_name),
		cmocka_unit_test(masks_are_the_sdms),
		cmocka_unit_test(an_offered_control_takes_effect),
		cmocka_unit_test(a_control_left_to_l0_is_one_it_sets),
		cmocka_unit_test(what_l0_must_have_is_not_off),
		cmocka_unit_test(nothing_dangerous_is_written_without_an_exit),
		cmocka_unit_test(read_only_shadowing_is_of_what_an_exit_tells),
	};

	return cmocka_run_group_tests_name("controls", tests, NULL, NULL);
}
