/* SPDX-License-Identifier: MIT */
/*
 * Features that the configuration hides from L1 although the processor has
 * them, on the model: L1 can neither set nor name them, and L0 goes on using
 * them for itself.
 */
#include "tests/model/scene.h"

#include <string.h>

#include "vmx/nested/caps12.h"

/* Bits of the handoff's `hide`, by the words of boot/hide.def. */
static u64 row(const char *word)
{
	static const char *const words[] = {
#define H(text, control_word, controls, capabilities) text,
#include "boot/hide.def"
#undef H
	};
	u32 i = 0;

	while (strcmp(words[i], word) != 0)
		assert_true(++i < array_size(words));
	return BIT(i);
}

static int show_all(void **state)
{
	(void)state;
	model_hide = 0;
	return 0;
}

static void assert_refused(u64 hide)
{
	struct l1_result result;

	model_hide = hide;
	scene_begin(BUILD_LONG);
	scene_play();
	result = l1_vmlaunch();
	assert_int_equal(result.outcome, L1_FAIL_VALID);
	assert_int_equal(result.error, 7);
}

/* Expect: VMfail 7 for a vmcs12 with EPT and VPIDs, on the same processor that enters it when nothing is hidden. */
static void a_hidden_control_cannot_be_set(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	scene_enter();
	assert_refused(row("ept"));
	assert_refused(row("vpid"));
}

/* Expect: VMfail 12 for its field, #UD for its instruction; of the other feature neither. */
static void a_hidden_feature_has_no_fields_and_instructions(void **state)
{
	u64 value;

	(void)state;
	model_hide = row("vpid");
	scene_begin(BUILD_LONG);
	scene_play();
	assert_int_equal(l1_vmread(VMCS_VPID.encoding, &value).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_vmwrite(VMCS_VPID.encoding, 1).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_invvpid(2, 0, 0).outcome, L1_FAULT);
	assert_int_equal(l1_invvpid(2, 0, 0).vector, VECTOR_UD);
	assert_int_equal(l1_vmread(VMCS_EPT_POINTER.encoding, &value).outcome, L1_OK);
	assert_int_equal(l1_invept(2, 0, 0).outcome, L1_OK);

	model_hide = row("ept");
	scene_begin(BUILD_LONG);
	scene_play();
	assert_int_equal(l1_vmread(VMCS_EPT_POINTER.encoding, &value).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_invept(2, 0, 0).vector, VECTOR_UD);
	assert_int_equal(l1_invvpid(2, 0, 0).outcome, L1_OK);
}

/* Expect: without EPT and VPIDs of its own L2 runs, and under L0's EPT as ever; exits come and go. */
static void l0_keeps_what_it_hides(void **state)
{
	(void)state;
	model_hide = row("ept") | row("vpid") | row("shadowing");
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, 0, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID);
	scene_play();
	assert_true(model.vcpu.nested->shadowing);
	for (u32 i = 0; i < 3; i++) {
		scene_enter();
		assert_true(scene_running(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_ENABLE_EPT);
		assert_true(scene_running(VMCS_EPT_POINTER) != 0);
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
}

/* Expect: the capability MSRs that L1 reads are those of a processor without. */
static void rdmsr_shows_a_processor_without_it(void **state)
{
	u64 value = 0;

	(void)state;
	model_hide = row("ept") | row("vpid");
	scene_begin(BUILD_LONG);
	scene_play();
	assert_true(caps12_rdmsr(&model.vcpu.nested->offered, IA32_VMX_PROCBASED_CTLS2, &value));
	assert_int_equal(value >> 32 & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID | PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_PML), 0);
	assert_true(value >> 32 & PROC2_VMCS_SHADOWING);
	assert_false(caps12_rdmsr(&model.vcpu.nested->offered, IA32_VMX_EPT_VPID_CAP, &value));
	assert_true(caps_allow(&model.machine->hardware, WORD_PROC2, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_hidden_control_cannot_be_set, show_all),
		cmocka_unit_test_setup(a_hidden_feature_has_no_fields_and_instructions, show_all),
		cmocka_unit_test_setup(l0_keeps_what_it_hides, show_all),
		cmocka_unit_test_setup(rdmsr_shows_a_processor_without_it, show_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
