/* SPDX-License-Identifier: MIT */
/*
 * Slots whose shadow VMCS has all guest state (vmx/nested/shadow_wide.c): when L0 makes one so, and that
 * L1's and L2's values mean the same as before.
 */
#include "tests/model/scene.h"

#define PLENTY 300

static u64 vmcs_exits(void)
{
	return model.cpu.counter[COUNTER_VMREAD_EXITS] + model.cpu.counter[COUNTER_VMWRITE_EXITS];
}

static void set(vmcs_field field, u64 value)
{
	assert_int_equal(l1_vmwrite(field.encoding, value).outcome, L1_OK);
}

/* As a hypervisor beneath another one does: much guest state at each exit. */
static void write_much(u32 writes)
{
	for (u32 i = 0; i < writes; i++)
		set(VMCS_GUEST_LDTR_BASE, 0x1000 + i);
}

static bool is_wide(void)
{
	return model.vcpu.nested->current->wide;
}

static void begin_wide(void)
{
	scene_begin(BUILD_LONG);
	scene_play();
	write_much(PLENTY);
	assert_true(is_wide());
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0x1000 + PLENTY - 1);
	scene_exit_to_l1(EXIT_CPUID, 0);
}

/* --- learning -------------------------------------------------------------------------- */

static void a_few_writes_at_each_exit_teach_nothing(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < PLENTY; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		write_much(2);
	}
	assert_false(is_wide());
}

static void many_writes_at_each_exit_do(void **state)
{
	u64 exits;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < PLENTY / 10; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		write_much(10);
	}
	assert_true(is_wide());
	exits = vmcs_exits();
	write_much(10);
	assert_int_equal(l1_get(VMCS_GUEST_LDTR_BASE), 0x1009);
	assert_int_equal(vmcs_exits(), exits);
}

static void other_fields_teach_nothing(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < 2 * PLENTY; i++)
		set(VMCS_TSC_OFFSET, i);
	assert_false(is_wide());
}

static void without_shadowing_there_is_nothing_to_learn(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	scene_play();
	write_much(PLENTY);
	assert_false(is_wide());
}

/* --- values ---------------------------------------------------------------------------- */

/* Expect: what L2 leaves behind L1 reads, and it stays unless L1 writes. */
static void l2s_values_stay(void **state)
{
	u64 exits;

	(void)state;
	begin_wide();
	for (u64 round = 1; round < 4; round++) {
		scene_enter();
		*processor_field(VMCS_GUEST_LDTR_BASE) = round * 0x100;
		*processor_field(VMCS_GUEST_ES_LIMIT) = 0xfff;
		scene_exit_to_l1(EXIT_CPUID, 0);
		exits = vmcs_exits();
		assert_int_equal(l1_get(VMCS_GUEST_LDTR_BASE), round * 0x100);
		assert_int_equal(vmcs_exits(), exits);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), round * 0x100);
		assert_int_equal(scene_running(VMCS_GUEST_ES_LIMIT), 0xfff);
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
}

/* Expect: L1's value, though it is the one that L1 wrote last time and only L2 has changed it since. */
static void l1_may_write_the_same_again(void **state)
{
	(void)state;
	begin_wide();
	for (u32 round = 0; round < 3; round++) {
		set(VMCS_GUEST_LDTR_BASE, 0x7000);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0x7000);
		*processor_field(VMCS_GUEST_LDTR_BASE) = 0x8000;
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
}

/* Expect: one field written by L1 takes nothing back of what L2 has changed elsewhere, PDPTEs among it. */
static void l1_writes_one_field_of_many(void **state)
{
	(void)state;
	begin_wide();
	scene_enter();
	*processor_field(VMCS_GUEST_FS_BASE) = 0x5000;
	*processor_field(VMCS_GUEST_PDPTE2) = 0x6001;
	scene_exit_to_l1(EXIT_CPUID, 0);
	set(VMCS_GUEST_GS_BASE, 0x9000);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5000);
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE2), 0x6001);
	assert_int_equal(scene_running(VMCS_GUEST_GS_BASE), 0x9000);
}

/* Expect: writes before and after an instruction that fails both count. */
static void an_entry_that_fails_loses_nothing(void **state)
{
	u64 injection;

	(void)state;
	begin_wide();
	scene_enter();
	*processor_field(VMCS_GUEST_FS_BASE) = 0x5000;
	scene_exit_to_l1(EXIT_CPUID, 0);
	injection = l1_get(VMCS_ENTRY_INTERRUPTION_INFORMATION);
	set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000102); /* a reserved type */
	assert_int_equal(l1_vmresume().error, VMERR_CONTROLS);
	set(VMCS_GUEST_LDTR_BASE, 0xa000);
	set(VMCS_ENTRY_INTERRUPTION_INFORMATION, injection);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0xa000);
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5000);
}

/* Expect: bad guest state is refused as ever, and put right again. */
static void guest_state_is_checked(void **state)
{
	(void)state;
	begin_wide();
	set(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc083);
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(l1_get(VMCS_GUEST_ES_ACCESS_RIGHTS), 0xc083);
	set(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc093);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_ES_ACCESS_RIGHTS), 0xc093);
}

/* Expect: a field that exits, written between others that do not. */
static void writes_that_exit_count_too(void **state)
{
	(void)state;
	begin_wide();
	scene_enter();
	*processor_field(VMCS_GUEST_PDPTE1) = 0x1001;
	*processor_field(VMCS_GUEST_PDPTE3) = 0x3001;
	scene_exit_to_l1(EXIT_CPUID, 0);
	set(VMCS_GUEST_PDPTE1, 0x2001);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE1), 0x2001);
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE3), 0x3001);
}

/* Expect: the values come along when the VMCS is no longer current, is cleared, and comes back. */
static void another_vmcs_in_between(void **state)
{
	(void)state;
	for (u32 clear = 0; clear < 2; clear++) {
		begin_wide();
		scene_enter();
		*processor_field(VMCS_GUEST_FS_BASE) = 0x5000;
		scene_exit_to_l1(EXIT_CPUID, 0);
		set(VMCS_GUEST_LDTR_BASE, 0xb000);
		l1_make_region(L1_REGION(1));
		assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
		assert_false(is_wide());
		if (clear) {
			assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
			assert_int_equal(vmcs12_get(l1_pointer(L1_REGION(0)), VMCS_GUEST_LDTR_BASE), 0xb000);
		}
		assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
		assert_int_equal(is_wide(), !clear);
		assert_int_equal(l1_get(VMCS_GUEST_FS_BASE), 0x5000);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0xb000);
		assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_writes_at_each_exit_teach_nothing),
		cmocka_unit_test(many_writes_at_each_exit_do),
		cmocka_unit_test(other_fields_teach_nothing),
		cmocka_unit_test(without_shadowing_there_is_nothing_to_learn),
		cmocka_unit_test(l2s_values_stay),
		cmocka_unit_test(l1_may_write_the_same_again),
		cmocka_unit_test(l1_writes_one_field_of_many),
		cmocka_unit_test(an_entry_that_fails_loses_nothing),
		cmocka_unit_test(guest_state_is_checked),
		cmocka_unit_test(writes_that_exit_count_too),
		cmocka_unit_test(another_vmcs_in_between),
	};

	return cmocka_run_group_tests_name("path_wide", tests, NULL, NULL);
}
