/* SPDX-License-Identifier: MIT */
/*
 * Without VMCS shadowing in the processor: the fields that L1 uses often are in `soft` (vmx/nested/nested.h), and entries
 * and exits are quick all the same. Whichever way an access takes, it finds what the one before it left.
 */
#include "tests/model/scene.h"

#include "arch/x86.h"

#define FIRST UINT64_C(0x1111)

static const struct nested_slot *slot(void)
{
	return model.vcpu.nested->current;
}

/* L1 writes RSP, a selector and a 64-bit field at each exit, until L0 has learnt that. */
static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_play();
	for (u64 round = 0; round < 6; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RSP, FIRST);
		l1_set(VMCS_GUEST_FS_BASE, FIRST);
		l1_set(VMCS_GUEST_IA32_DEBUGCTL, 0);
	}
	scene_enter();
	assert_true(slot()->quick.entered && slot()->quick.soft);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(slot()->deferred);
	assert_int_equal(slot()->set.open[VMCS_INDEX_GUEST_RSP], SHADOW_RW);
	assert_int_equal(slot()->set.open[VMCS_INDEX_GUEST_FS_BASE], SHADOW_RW);
	assert_int_equal(slot()->set.open[VMCS_INDEX_GUEST_IA32_DEBUGCTL], SHADOW_RW);
}

/* With RFLAGS.TF set no instruction of L1's is quick. */
static void set_slowly(vmcs_field field, u64 value)
{
	*processor_field(VMCS_GUEST_RFLAGS) |= RFLAGS_TF;
	l1_set(field, value);
	*processor_field(VMCS_GUEST_RFLAGS) &= ~RFLAGS_TF;
	*processor_field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) = 0;
}

static u64 get_slowly(vmcs_field field)
{
	u64 value;

	*processor_field(VMCS_GUEST_RFLAGS) |= RFLAGS_TF;
	value = l1_get(field);
	*processor_field(VMCS_GUEST_RFLAGS) &= ~RFLAGS_TF;
	*processor_field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) = 0;
	return value;
}

/* Expect: the last write counts, the quick one or the other, also where it is the value from before both. */
static void quick_and_slow_accesses_meet(void **state)
{
	static const vmcs_field fields[] = { VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_FS_BASE) };

	(void)state;
	for (u32 i = 0; i < array_size(fields); i++) {
		begin();
		l1_set(fields[i], 0x2222);
		assert_int_equal(get_slowly(fields[i]), 0x2222);
		set_slowly(fields[i], FIRST);
		assert_int_equal(l1_get(fields[i]), FIRST);
		scene_enter();
		assert_int_equal(scene_running(fields[i]), FIRST);
		scene_exit_to_l1(EXIT_CPUID, 0);
		set_slowly(fields[i], 0x3333);
		l1_set(fields[i], 0x4444);
		assert_int_equal(l1_get(fields[i]), 0x4444);
		scene_enter();
		assert_int_equal(scene_running(fields[i]), 0x4444);
	}
}

/* Expect: what brings L2's other fields home takes nothing of L1's back. */
static void fields_that_come_home_leave_l1s_alone(void **state)
{
	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_RSP) = 0x5555;
	*processor_field(VMCS_GUEST_ES_BASE) = 0x6666;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x5555);
	l1_set(VMCS_GUEST_RSP, 0x7777);
	l1_set(VMCS_GUEST_FS_BASE, 0x8888);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x6666);
	assert_false(slot()->deferred || slot()->rare_in_02);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x7777);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_RSP), 0x7777);
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x8888);
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x6666);
}

/* Expect: halves of 64-bit fields, between registers and from memory. */
static void high_halves_are_halves(void **state)
{
	const vmcs_field field = VMCS_GUEST_IA32_DEBUGCTL;
	u64 value;

	(void)state;
	begin();
	for (u32 memory = 0; memory < 2; memory++) {
		l1_set(field, UINT64_C(0x100000002));
		if (memory)
			assert_int_equal(l1_vmwrite_from_memory(field.encoding + 1, UINT64_C(0x900000003)).outcome, L1_OK);
		else
			assert_int_equal(l1_vmwrite(field.encoding + 1, UINT64_C(0x900000003)).outcome, L1_OK);
		assert_int_equal(l1_get(field), UINT64_C(0x300000002));
		assert_int_equal((memory ? l1_vmread_to_memory : l1_vmread)(field.encoding + 1, &value).outcome, L1_OK);
		assert_int_equal(value, 3);
	}
}

/* Expect: L1 finds what it wrote in its region. */
static void vmclear_writes_it_home(void **state)
{
	(void)state;
	begin();
	l1_set(VMCS_GUEST_RSP, 0x7777);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(vmcs12_get(l1_pointer(L1_REGION(0)), VMCS_GUEST_RSP), 0x7777);
}

/* Expect: an entry that the processor refuses loses neither L1's writes nor what L2 left. */
static void a_refused_entry_keeps_all(void **state)
{
	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_ES_BASE) = 0x6666;
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_GUEST_RSP, 0x7777);
	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x7777);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x6666);
	l1_set(VMCS_GUEST_RSP, FIRST);
	processor.refuse_with = 0;
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_RSP), FIRST);
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x6666);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quick_and_slow_accesses_meet),
		cmocka_unit_test(fields_that_come_home_leave_l1s_alone),
		cmocka_unit_test(high_halves_are_halves),
		cmocka_unit_test(vmclear_writes_it_home),
		cmocka_unit_test(a_refused_entry_keeps_all),
	};

	return cmocka_run_group_tests_name("path_quick_soft", tests, scene_make_soft, NULL);
}
