/* SPDX-License-Identifier: MIT */
/*
 * EPT violations of L2 by the quick way (handle_ept12_quick in vmx/handle_ept12.c): what is EPT12's is told as EPT12
 * has it, what is a miss leaves nothing behind.
 */
#include "tests/model/scene.h"

#define EPT12 UINT64_C(0x40000)
#define PAGE_TABLE (EPT12 + 0x3000)
#define AREA UINT64_C(0xb1000)
#define READS UINT64_C(0x181)	/* of a translated linear address */
#define HARDWARES_PERMISSIONS BITS(5, 3)

static void map(u64 page)
{
	((u64 *)l1_pointer(PAGE_TABLE))[page] = page * 0x1000 | 7 | 6 << 3;
}

/* L2 has pages 9 and 10; both ways are quick. */
static void begin_with(u32 flags, u32 proc2)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, proc2, 0);
	scene_set(VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, AREA);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_set(VMCS_EPT_POINTER, EPT12 | 6 | 3 << 3 | flags);
	scene_play();
	for (u64 level = 0; level < 3; level++)
		*(u64 *)l1_pointer(EPT12 + level * 0x1000) = (EPT12 + (level + 1) * 0x1000) | 7;
	map(9);
	map(10);
	for (u64 round = 0; round < 5; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
}

static void begin(u32 flags)
{
	begin_with(flags, 0);
}

static void touch(u64 page, u64 qualification, u64 vectoring)
{
	assert_true(model_exit(&(struct model_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = qualification,
						     .physical = page * 0x1000, .vectoring_information = (u32)vectoring }));
}

static u64 fills(void)
{
	return model.cpu.counter[COUNTER_EPT02_FILLS];
}

static void expect_violation(u64 page, u64 qualification)
{
	assert_false(model_in_l2());
	assert_true(model.vcpu.nested->current->deferred);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EPT_VIOLATION);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), qualification);
	assert_int_equal(l1_get(VMCS_GUEST_PHYSICAL_ADDRESS), page * 0x1000);
}

/* Expect: L1's exit has hardware's qualification but for what EPT02 allowed; L0 counts no fill. */
static void a_violation_tells_what_ept12_allows(void **state)
{
	(void)state;
	begin(0);
	touch(9, READS, 0);
	assert_true(model_in_l2());
	assert_int_equal(fills(), 1);
	touch(0x30, READS, 0);
	expect_violation(0x30, READS);
	scene_enter();
	/* Of a page that EPT02 had for reading. */
	touch(0x31, READS | HARDWARES_PERMISSIONS | BIT(6), 0);
	expect_violation(0x31, READS);
	scene_enter();
	assert_int_equal(fills(), 1);
}

/* Expect: with accessed and dirty flags, which page 9 does not have yet, the first of all is set by a walk. */
static void a_read_that_sets_a_flag_is_a_fill_too(void **state)
{
	(void)state;
	begin(BIT(6));
	touch(9, READS, 0);
	touch(10, READS, 0);
	assert_true(model_in_l2());
	assert_int_equal(fills(), 2);
	assert_int_equal(((u64 *)l1_pointer(PAGE_TABLE))[10], 0xa000 | 7 | 6 << 3 | BIT(8));
}

/* Expect: the event whose delivery came to the violation is L1's to see, and is not delivered by L0. */
static void an_event_that_met_a_violation_is_l1s(void **state)
{
	const u64 event = INTERRUPTION_VALID | (u64)INTERRUPTION_EXTERNAL << 8 | 0x41;

	(void)state;
	begin(0);
	touch(9, READS, 0);
	touch(0x30, READS, event);
	expect_violation(0x30, READS);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), event);
	map(0x30);
	processor.injected = 0;
	scene_enter();
	assert_int_equal(scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	assert_int_equal(processor.injected & INTERRUPTION_VALID, 0);
}

/* Expect: the event whose delivery missed is delivered again, once; what L1 injects afterwards is not lost. */
static void an_event_that_missed_is_delivered_again(void **state)
{
	const u64 event = INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_PF;

	(void)state;
	begin(0);
	touch(9, READS, 0);
	map(0x20);
	map(0x21);
	touch(0x20, READS, event);
	assert_true(model_in_l2());
	assert_int_equal(processor.injected, event);
	processor.injected = 0;
	map(0x40);
	touch(0x40, READS, 0);
	assert_true(model_in_l2());
	assert_int_equal(processor.injected & INTERRUPTION_VALID, 0);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, event);
	l1_set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
	scene_enter();
	assert_int_equal(processor.injected, event);
}

/* Expect: the same where L1's entry took the long way, and where the event comes to a violation before anything else. */
static void an_event_injected_before_a_violation_can_be_injected_again(void **state)
{
	const u64 event = INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_PF;

	(void)state;
	begin(0);
	touch(9, READS, 0);
	scene_exit_to_l1(EXIT_CPUID, 0);
	for (u64 round = 0; round < 4; round++) {
		l1_set(VMCS_HOST_RSP, 0x5000 + 8 * round);
		l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, event);
		l1_set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
		scene_enter();
		assert_int_equal(scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION), event);
		touch(0x30, READS, 0);
		assert_false(model_in_l2());
		assert_int_equal(l1_get(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	}
}

/* Expect: near a page that was filled, too, a violation becomes #VE, and what depends on the mode fills the root that has modes. */
static void controls_that_change_the_answer_are_asked(void **state)
{
	(void)state;
	begin_with(0, PROC2_EPT_VIOLATION_VE);
	touch(9, READS, 0);
	touch(0x30, READS, 0);
	assert_true(model_in_l2());
	assert_int_equal(processor.injected & 0xff, VECTOR_VE);
	assert_int_equal(*(u32 *)l1_pointer(AREA), EXIT_EPT_VIOLATION);
	begin(0);
	touch(9, READS, 0);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, l1_get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) | PROC2_MODE_BASED_EXECUTE);
	scene_enter();
	touch(10, READS, 0);
	assert_true(model_in_l2());
	assert_int_equal(model.vcpu.nested->ept02.recent->eptp02, scene_running(VMCS_EPT_POINTER));
}

/* Expect: an IRET that missed has not unblocked NMIs. SDM "Exit Qualification for EPT Violations". */
static void an_iret_that_missed_blocks_nmis_again(void **state)
{
	(void)state;
	begin(0);
	touch(9, READS, 0);
	map(0x20);
	map(0x21);
	assert_int_equal(scene_running(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI, 0);
	touch(0x20, READS | BIT(12), 0);
	assert_true(model_in_l2());
	assert_int_equal(scene_running(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI, INTERRUPTIBILITY_NMI);
}

/* Expect: the page that L1 maps is there at its entry, and one of another VMCS's EPT12 meanwhile does not disturb. */
static void the_answer_is_filled_at_the_entry(void **state)
{
	(void)state;
	begin(0);
	touch(9, READS, 0);
	touch(0x30, READS, 0);
	expect_violation(0x30, READS);
	map(0x30);
	assert_int_not_equal(model.vcpu.nested->ept02.faulted_eptp12, 0);
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	assert_int_equal(model.vcpu.nested->ept02.faulted_eptp12, 0);
	assert_int_equal(model.vcpu.nested->ept02.recent->window[0].table02[0x30], 0x30000 | 7 | 6 << 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_violation_tells_what_ept12_allows),
		cmocka_unit_test(a_read_that_sets_a_flag_is_a_fill_too),
		cmocka_unit_test(an_event_that_met_a_violation_is_l1s),
		cmocka_unit_test(an_event_that_missed_is_delivered_again),
		cmocka_unit_test(an_event_injected_before_a_violation_can_be_injected_again),
		cmocka_unit_test(controls_that_change_the_answer_are_asked),
		cmocka_unit_test(an_iret_that_missed_blocks_nmis_again),
		cmocka_unit_test(the_answer_is_filled_at_the_entry),
	};

	return cmocka_run_group_tests_name("path_quick_ept", tests, NULL, NULL);
}
