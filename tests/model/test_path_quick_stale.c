/* SPDX-License-Identifier: MIT */
/*
 * After exits and entries that took the quick way (vmx/nested/quick_switch.h) nothing may come
 * between that they do not notice: other VMCSs above all.
 */
#include "tests/model/scene.h"

/* L1 reads and writes RIP at each exit, until that needs no exit and both ways are quick. */
static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_play();
	for (u64 round = 0; round < 5; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
		l1_set(VMCS_GUEST_RSP, 0x1000 + round);
	}
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(model.vcpu.nested->current->deferred);
}

static void look_at_another_vmcs(void)
{
	l1_make_region(L1_REGION(1));
	assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
}

/* Expect: what L1 wrote without an exit before it went to another VMCS is what L2 runs with when it is back. */
static void writes_before_another_vmcs_count(void **state)
{
	(void)state;
	begin();
	l1_set(VMCS_GUEST_RIP, 0x7002);
	l1_set(VMCS_GUEST_RSP, 0x8008);
	look_at_another_vmcs();
	assert_int_equal(l1_get(VMCS_GUEST_RIP), 0x7002);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_RIP), 0x7002);
	assert_int_equal(scene_running(VMCS_GUEST_RSP), 0x8008);
}

/* Expect: what L2 left is what L1 finds after the other one, and what L2 goes on with. */
static void what_l2_left_outlives_another_vmcs(void **state)
{
	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_ES_BASE) = 0x4321;
	*processor_field(VMCS_GUEST_RSP) = 0x9009;
	scene_exit_to_l1(EXIT_CPUID, 0);
	look_at_another_vmcs();
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x9009);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x4321);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x4321);
	assert_int_equal(scene_running(VMCS_GUEST_RSP), 0x9009);
}

/*
 * A quick entry leaves the shadow VMCS active; the model refuses to enter L1 while the one that is linked is.
 * Expect: it is clear again after an exit that brings nothing new, after an entry that fails, and after an exit by the long way
 * of an L2 whose L1 reads and writes nothing.
 */
static void a_linked_shadow_vmcs_is_clear(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_true(processor_region(model.vcpu.nested->current->shadow.address.value)->active);
	scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(model.vcpu.nested->current->deferred);

	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_false(processor_region(model.vcpu.nested->current->shadow.address.value)->active);
}

static void a_linked_shadow_vmcs_without_fields_is_clear(void **state)
{
	const struct model_exit exit = { .reason = EXIT_CPUID };

	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_play();
	for (u32 round = 0; round < 3; round++) {
		scene_enter();
		assert_true(model_exit(&exit));
	}
	assert_int_equal(model.vcpu.nested->current->set.read_count, 0);
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	model.vcpu.nested->slow |= SLOW_FOR_TPR; /* nothing is quick */
	assert_true(model_exit(&exit));
	assert_false(model.vcpu.nested->current->deferred);
}

int main(void)
{
	const struct CMUnitTest of_shadow_vmcs[] = {
		cmocka_unit_test(a_linked_shadow_vmcs_is_clear),
		cmocka_unit_test(a_linked_shadow_vmcs_without_fields_is_clear),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_before_another_vmcs_count),
		cmocka_unit_test(what_l2_left_outlives_another_vmcs),
	};

	return cmocka_run_group_tests_name("path_quick_stale.shadow_vmcs", of_shadow_vmcs, NULL, NULL) +
	       SCENE_RUN_BOTH("path_quick_stale", tests);
}
