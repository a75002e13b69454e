/* SPDX-License-Identifier: MIT */
/*
 * What L0 tells of refused VM entries on the model: the records that L1 reads by
 * CPUID (docs/cpuid.md), the lines on the console, and how few of them there are.
 */
#include <string.h>

#include "tests/model/scene.h"
#include "vmx/exit.h"
#include "vmx/nested/refusal.h"

#define LEAF_REFUSALS 0x40000004
#define RULE_VIRTUAL_NMIS 113
#define RULE_RFLAGS 452

static struct cpuid_result l1_cpuid(u32 leaf, u32 subleaf)
{
	u64 *gpr = model.vcpu.regs.gpr;

	gpr[REG_RAX] = leaf;
	gpr[REG_RCX] = subleaf;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	return (struct cpuid_result){ (u32)gpr[REG_RAX], (u32)gpr[REG_RBX], (u32)gpr[REG_RCX], (u32)gpr[REG_RDX] };
}

static void play_bad_controls(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING);
	scene_play();
}

static u32 lines_about(const char *text)
{
	u32 found = 0;

	for (u32 i = 0; i < model.line_count && i < MODEL_LINES; i++)
		found += strstr(model.lines[i], text) != NULL;
	return found;
}

/* Expect: rule and result, field, value; the address of the VMCS in the next leaf; nothing older. */
static void l1_reads_why_its_entry_was_refused(void **state)
{
	struct cpuid_result record;

	(void)state;
	play_bad_controls();
	record = l1_cpuid(LEAF_REFUSALS, 0);
	assert_int_equal(record.eax | record.ebx | record.ecx | record.edx, 0);
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	record = l1_cpuid(LEAF_REFUSALS, 0);
	assert_int_equal(record.eax, RULE_VIRTUAL_NMIS | VMERR_CONTROLS << 16);
	assert_int_equal(record.ebx, VMCS_PIN_BASED_CONTROLS.encoding);
	assert_int_equal(record.ecx, l1_get(VMCS_PIN_BASED_CONTROLS));
	assert_int_equal(record.edx, 0);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS + 1, 0).eax, L1_REGION(0));
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 1).eax, 0);
}

static void the_most_recent_refusal_comes_first(void **state)
{
	(void)state;
	play_bad_controls();
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_vmwrite(VMCS_PIN_BASED_CONTROLS.encoding, l1_get(VMCS_PIN_BASED_CONTROLS) | PIN_NMI_EXITING).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RFLAGS.encoding, 0).outcome, L1_OK);
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 0).eax, RULE_RFLAGS | (u32)REFUSAL_GUEST << 16);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 1).eax, RULE_VIRTUAL_NMIS | VMERR_CONTROLS << 16);
}

/* Expect: one line for the first and one for the tenth of twenty, but a record and a count of each. */
static void equal_refusals_are_told_seldom(void **state)
{
	(void)state;
	play_bad_controls();
	for (u32 i = 0; i < 20; i++)
		assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	assert_int_equal(lines_about("VM entry refused"), 2);
	assert_int_equal(lines_about("10 times by now"), 1);
	assert_int_equal(model.cpu.counter[COUNTER_ENTRY_REFUSALS], 20);
	assert_true(model.vcpu.nested->refusals.count == 20);
}

/* Expect: with `refusals = off` no line, and the record all the same. */
static void lines_can_be_switched_off(void **state)
{
	(void)state;
	play_bad_controls();
	model.handoff.show_refusals = 0;
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_vmread(0x6fff, &(u64){ 0 }).outcome, L1_FAIL_VALID);
	assert_int_equal(lines_about("refused"), 0);
	assert_int_equal(lines_about("VMfail"), 0);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 0).eax & 0xffff, RULE_VIRTUAL_NMIS);
}

/* Expect: the rule that the processor's refusal stands for, and its own result. */
static void what_the_processor_refuses_has_a_record(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	processor.refuse_with = VMERR_HOST_STATE;
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 0).eax, RULE_LACKING_HOST | VMERR_HOST_STATE << 16);
	processor.fail_with = EXIT_INVALID_GUEST_STATE;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_cpuid(LEAF_REFUSALS, 0).eax, RULE_LACKING_GUEST | (u32)REFUSAL_GUEST << 16);
}

/* Expect: a field that is not there is told with its encoding, at the debug level. */
static void a_failed_instruction_has_words(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	assert_int_equal(l1_vmread(0x6fff, &(u64){ 0 }).outcome, L1_FAIL_VALID);
	assert_int_equal(lines_about("0x6fff"), 1);
	assert_int_equal(l1_vmptrld(1).outcome, L1_FAIL_VALID);
	assert_int_equal(lines_about("VMPTRLD with an address"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1_reads_why_its_entry_was_refused),
		cmocka_unit_test(the_most_recent_refusal_comes_first),
		cmocka_unit_test(equal_refusals_are_told_seldom),
		cmocka_unit_test(lines_can_be_switched_off),
		cmocka_unit_test(what_the_processor_refuses_has_a_record),
		cmocka_unit_test(a_failed_instruction_has_words),
	};

	return SCENE_RUN_BOTH("path_refusal", tests);
}
