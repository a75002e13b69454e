/* SPDX-License-Identifier: MIT */
/*
 * The field and control tables: lookup, width, existence, and that vmcs12 is
 * brought into canonical form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/caps12.h"

static void every_row_is_found_by_its_encoding(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		assert_ptr_equal(vmcs_lookup(vmcs_fields[i].field.encoding), &vmcs_fields[i]);
		assert_int_equal(vmcs_fields[i].field.index, i);
	}
}

/* Expect: bit 0 finds the row of a 64-bit field, and nothing for another width. */
static void only_64_bit_fields_have_a_high_half(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u16 encoding = vmcs_fields[i].field.encoding;
		bool wide = vmcs_encoding_width(encoding) == WIDTH_64;

		assert_ptr_equal(vmcs_lookup(encoding | 1u), wide ? &vmcs_fields[i] : NULL);
		assert_true(vmcs_width_mask(encoding | 1u) == UINT32_MAX || !wide);
	}
}

/* Expect: no row, for encodings that a 16-bit or 32-bit view would take for one of ours. */
static void an_encoding_with_high_bits_set_is_not_found(void **state)
{
	(void)state;
	assert_null(vmcs_lookup(VMCS_GUEST_RIP.encoding | UINT64_C(1) << 16));
	assert_null(vmcs_lookup(VMCS_GUEST_RIP.encoding | UINT64_C(1) << 32));
	assert_null(vmcs_lookup(VMCS_GUEST_RIP.encoding | UINT64_C(1) << 15));
	assert_null(vmcs_lookup(VMCS_GUEST_RIP.encoding | UINT64_C(1) << 12));
	assert_null(vmcs_lookup(UINT64_MAX));
}

static void widths_follow_from_the_encoding(void **state)
{
	(void)state;
	assert_true(vmcs_width_mask(VMCS_GUEST_CS_SELECTOR.encoding) == UINT16_MAX);
	assert_true(vmcs_width_mask(VMCS_GUEST_CS_LIMIT.encoding) == UINT32_MAX);
	assert_true(vmcs_width_mask(VMCS_GUEST_CS_BASE.encoding) == UINT64_MAX);
	assert_true(vmcs_width_mask(VMCS_GUEST_PDPTE0.encoding) == UINT64_MAX);
}

static void control_words_know_their_fields(void **state)
{
	(void)state;
	assert_int_equal(control_fields[WORD_PIN].encoding, 0x4000);
	assert_int_equal(control_fields[WORD_PROC].encoding, 0x4002);
	assert_int_equal(control_fields[WORD_PROC2].encoding, 0x401e);
	assert_int_equal(control_fields[WORD_EXIT].encoding, 0x400c);
	assert_int_equal(control_fields[WORD_ENTRY].encoding, 0x4012);
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		assert_ptr_equal(vmcs_lookup(control_fields[word].encoding), &vmcs_fields[control_fields[word].index]);
}

static void no_control_is_listed_twice(void **state)
{
	u32 seen[CONTROL_WORD_COUNT] = { 0 };

	(void)state;
	for (u32 i = 0; i < controls_count; i++) {
		u32 bit = UINT32_C(1) << controls[i].bit;

		assert_int_equal(seen[controls[i].word] & bit, 0);
		seen[controls[i].word] |= bit;
	}
}

static void a_hidden_control_says_why_and_an_offered_one_does_not(void **state)
{
	(void)state;
	for (u32 i = 0; i < controls_count; i++)
		assert_true(controls[i].offered == (controls[i].hidden_because == NULL));
}

static void no_hidden_control_is_merged_from_l1(void **state)
{
	(void)state;
	for (u32 i = 0; i < controls_count; i++)
		if (!controls[i].offered)
			assert_int_equal(controls[i].merge, MERGE_OFF);
}

/* Expect: ABSENT says no more than what the hidden controls imply. */
static void absent_fields_do_not_exist_for_l1(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (vmcs_fields[i].class == CLASS_ABSENT && vmcs_field_exists(&vmcs_fields[i], &offered))
			fail_msg("%s is ABSENT but exists", vmcs_fields[i].name);
		if (vmcs_fields[i].class != CLASS_ABSENT && !vmcs_field_exists(&vmcs_fields[i], &offered))
			fail_msg("%s is not ABSENT but does not exist", vmcs_fields[i].name);
	}
}

static void a_field_exists_with_either_of_its_controls(void **state)
{
	const struct vmcs_field_info *pat = &vmcs_fields[VMCS_INDEX_GUEST_IA32_PAT];
	struct vmx_caps caps = { .basic = 0 };

	(void)state;
	assert_false(vmcs_field_exists(pat, &caps));
	caps.control[WORD_EXIT].may_be_1 = EXIT_SAVE_IA32_PAT;
	assert_true(vmcs_field_exists(pat, &caps));
	caps.control[WORD_EXIT].may_be_1 = 0;
	caps.control[WORD_ENTRY].may_be_1 = ENTRY_LOAD_IA32_PAT;
	assert_true(vmcs_field_exists(pat, &caps));
	assert_true(vmcs_field_exists(&vmcs_fields[VMCS_INDEX_GUEST_RIP], &(struct vmx_caps){ .basic = 0 }));
}

static void sanitizing_cuts_values_to_their_width(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	memset(&vmcs12, 0xff, sizeof(vmcs12));
	vmcs12_sanitize(&vmcs12);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 expected = vmcs_fields[i].class == CLASS_ABSENT ? 0 : vmcs_width_mask(vmcs_fields[i].field.encoding);

		assert_true(vmcs12.fields.value[i] == expected);
	}
	assert_int_equal(vmcs12.launch_state, LAUNCH_STATE_CLEAR);
}

static void sanitizing_keeps_the_launched_state(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	vmcs12.launch_state = LAUNCH_STATE_LAUNCHED;
	vmcs12_sanitize(&vmcs12);
	assert_int_equal(vmcs12.launch_state, LAUNCH_STATE_LAUNCHED);
}

static void secondary_controls_count_only_when_activated(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	vmcs12_set(&vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT);
	assert_false(vmcs12_has(&vmcs12, WORD_PROC2, PROC2_ENABLE_EPT));
	vmcs12_set(&vmcs12, VMCS_PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	assert_true(vmcs12_has(&vmcs12, WORD_PROC2, PROC2_ENABLE_EPT));
	assert_false(vmcs12_has(&vmcs12, WORD_PROC2, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_encoding),
		cmocka_unit_test(only_64_bit_fields_have_a_high_half),
		cmocka_unit_test(an_encoding_with_high_bits_set_is_not_found),
		cmocka_unit_test(widths_follow_from_the_encoding),
		cmocka_unit_test(control_words_know_their_fields),
		cmocka_unit_test(no_control_is_listed_twice),
		cmocka_unit_test(a_hidden_control_says_why_and_an_offered_one_does_not),
		cmocka_unit_test(no_hidden_control_is_merged_from_l1),
		cmocka_unit_test(absent_fields_do_not_exist_for_l1),
		cmocka_unit_test(a_field_exists_with_either_of_its_controls),
		cmocka_unit_test(sanitizing_cuts_values_to_their_width),
		cmocka_unit_test(sanitizing_keeps_the_launched_state),
		cmocka_unit_test(secondary_controls_count_only_when_activated),
	};

	return cmocka_run_group_tests_name("vmcs_field", tests, NULL, NULL);
}
