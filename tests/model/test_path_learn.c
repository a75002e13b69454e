/* SPDX-License-Identifier: MIT */
/*
 * Which fields a slot's shadow VMCS has (vmx/nested/shadow_learn.c): when L0 opens one, and that
 * L1's and L2's values mean the same as before; all of it without VMCS shadowing, too.
 */
#include "tests/model/scene.h"

#define EPTP_LIST UINT64_C(0xa0000)
#define EPTP12(table) ((table) | 6 | 3 << 3)

static u64 vmcs_exits(void)
{
	return model.cpu.counter[COUNTER_VMREAD_EXITS] + model.cpu.counter[COUNTER_VMWRITE_EXITS];
}

static enum vmcs_shadow how_open(vmcs_field field)
{
	return (enum vmcs_shadow)model.vcpu.nested->current->set.open[field.index];
}

/* As a hypervisor beneath another one does: much guest state at each exit. */
static void write_much(u64 value)
{
	l1_set(VMCS_GUEST_LDTR_BASE, value);
	l1_set(VMCS_GUEST_FS_BASE, value);
	l1_set(VMCS_GUEST_GS_BASE, value);
	l1_set(VMCS_GUEST_ES_LIMIT, 0xffffffff);
	l1_set(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc093);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
}

static bool is_wide(void)
{
	return how_open(VMCS_GUEST_LDTR_BASE) == SHADOW_RW;
}

static void begin_wide(void)
{
	scene_begin(BUILD_LONG);
	scene_play();
	for (u64 round = 0; round < 3; round++) {
		write_much(0x1000 + round);
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	assert_true(is_wide());
	assert_int_equal(scene_running(VMCS_GUEST_ES_LIMIT), 0xffffffff);
}

/* --- learning -------------------------------------------------------------------------- */

static void a_field_that_is_asked_for_again_is_opened(void **state)
{
	enum { ACCESSES = 4 }; /* reason, qualification, RSP, RIP */
	u64 exits;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	scene_enter();
	for (u64 round = 0; round < 4; round++) {
		exits = vmcs_exits();
		scene_exit_to_l1(EXIT_CPUID, 0);
		(void)l1_get(VMCS_GUEST_RSP);
		l1_set(VMCS_GUEST_RIP, 0x1000 + round);
		assert_int_equal(how_open(VMCS_GUEST_RSP), round < 1 ? SHADOW_NO : SHADOW_RO);
		assert_int_equal(how_open(VMCS_GUEST_RIP), round < 1 ? SHADOW_NO : SHADOW_RW);
		if (round > 1)
			assert_int_equal(vmcs_exits() - exits, scene_is_soft ? ACCESSES : 0);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_RIP), 0x1000 + round);
	}
}

/* Expect: setting a VMCS up, or looking at all of it, is no reason. */
static void what_is_asked_for_without_entries_stays(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < 50; i++) {
		(void)l1_get(VMCS_GUEST_RIP);
		l1_set(VMCS_GUEST_RIP, 0x1000 + i);
	}
	assert_int_equal(how_open(VMCS_GUEST_RIP), SHADOW_NO);
}

static void what_is_asked_for_rarely_stays(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < 4; i++) {
		(void)l1_get(VMCS_GUEST_RSP);
		for (u32 round = 0; round < 40; round++) {
			scene_enter();
			scene_exit_to_l1(EXIT_CPUID, 0);
		}
	}
	assert_int_equal(how_open(VMCS_GUEST_RSP), SHADOW_NO);
}

/* Expect: fields with addresses, and L0's own, never. */
static void other_fields_are_never_opened(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < 10; i++) {
		l1_set(VMCS_VPID, 1);
		l1_set(VMCS_GUEST_PDPTE1, 0);
		(void)l1_get(VMCS_MSR_BITMAP_ADDRESS);
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	assert_int_equal(how_open(VMCS_VPID), SHADOW_NO);
	assert_int_equal(how_open(VMCS_GUEST_PDPTE1), SHADOW_NO);
	assert_int_equal(how_open(VMCS_MSR_BITMAP_ADDRESS), SHADOW_NO);
}

/* What KVM writes at each change of VMCS, the same every time. */
static void set_as_ever(void)
{
	l1_set(VMCS_TSC_OFFSET, 0x1000);
	l1_set(VMCS_EPT_POINTER, EPTP12(0x40000));
	l1_set(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	l1_set(VMCS_EXIT_MSR_LOAD_COUNT, 0);
}

static void begin_as_ever(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_control(WORD_PROC, PROC_USE_TSC_OFFSETTING, 0);
	scene_set(VMCS_EPT_POINTER, EPTP12(0x40000));
	scene_set(VMCS_EPTP_LIST_ADDRESS, EPTP_LIST);
	scene_set(VMCS_VM_FUNCTION_CONTROLS, 1);
	scene_control(WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS, 0);
	scene_play();
	for (u32 i = 0; i < 4; i++) {
		set_as_ever();
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	set_as_ever();
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	assert_int_equal(how_open(VMCS_EPT_POINTER), SHADOW_RW);
}

/* Expect: written without an exit, the same value leaves entries quick, and another one counts. */
static void controls_that_rarely_change_are_opened(void **state)
{
	u64 eptp;

	(void)state;
	begin_as_ever();
	eptp = scene_running(VMCS_EPT_POINTER);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_TSC_OFFSET, 0x2000);
	scene_enter();
	assert_int_equal(scene_running(VMCS_TSC_OFFSET), 0x2000);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_EPT_POINTER, EPTP12(0x50000));
	scene_enter();
	assert_true(scene_running(VMCS_EPT_POINTER) != eptp);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_EPT_POINTER, EPTP12(0x50000) | 0x80); /* reserved */
	assert_int_equal(l1_vmresume().error, VMERR_CONTROLS);
	l1_set(VMCS_EPT_POINTER, EPTP12(0x50000));
	l1_set(VMCS_ENTRY_MSR_LOAD_ADDRESS, 8); /* misaligned */
	l1_set(VMCS_EXIT_MSR_LOAD_ADDRESS, 8);
	for (u32 i = 0; i < 3; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	l1_set(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	assert_int_equal(l1_vmresume().error, VMERR_CONTROLS);
	l1_set(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_EXIT_MSR_LOAD_COUNT, 1);
	assert_int_equal(l1_vmresume().error, VMERR_CONTROLS);
}

/* Expect: what L2 makes its EPT pointer by VMFUNC L1 reads, and L2 goes on with. */
static void an_ept_pointer_that_l2_has_switched_stays(void **state)
{
	u64 eptp;

	(void)state;
	begin_as_ever();
	((u64 *)l1_pointer(EPTP_LIST))[1] = EPTP12(0x50000);
	model.vcpu.regs.gpr[REG_RAX] = 0;
	model.vcpu.regs.gpr[REG_RCX] = 1;
	assert_true(model_exit_for(EXIT_VMFUNC, 0));
	assert_true(model_in_l2());
	eptp = scene_running(VMCS_EPT_POINTER);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_EPT_POINTER), EPTP12(0x50000));
	scene_enter();
	assert_int_equal(scene_of12(VMCS_EPT_POINTER), EPTP12(0x50000));
	assert_int_equal(scene_running(VMCS_EPT_POINTER), eptp);
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
		assert_int_equal(vmcs_exits() - exits, scene_is_soft);
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
		l1_set(VMCS_GUEST_LDTR_BASE, 0x7000);
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
	l1_set(VMCS_GUEST_GS_BASE, 0x9000);
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
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000102); /* a reserved type */
	assert_int_equal(l1_vmresume().error, VMERR_CONTROLS);
	l1_set(VMCS_GUEST_LDTR_BASE, 0xa000);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, injection);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0xa000);
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5000);
}

/* Expect: bad guest state is refused as ever, and put right again. */
static void guest_state_is_checked(void **state)
{
	(void)state;
	begin_wide();
	l1_set(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc083);
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(l1_get(VMCS_GUEST_ES_ACCESS_RIGHTS), 0xc083);
	l1_set(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc093);
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
	l1_set(VMCS_GUEST_PDPTE1, 0x2001);
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
		l1_set(VMCS_GUEST_LDTR_BASE, 0xb000);
		l1_make_region(L1_REGION(1));
		assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
		assert_false(is_wide());
		if (clear) {
			assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
			assert_int_equal(vmcs12_get(l1_pointer(L1_REGION(0)), VMCS_GUEST_LDTR_BASE), 0xb000);
		}
		assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
		assert_true(is_wide());
		assert_int_equal(l1_get(VMCS_GUEST_FS_BASE), 0x5000);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_LDTR_BASE), 0xb000);
		assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_is_asked_for_again_is_opened),
		cmocka_unit_test(what_is_asked_for_without_entries_stays),
		cmocka_unit_test(what_is_asked_for_rarely_stays),
		cmocka_unit_test(other_fields_are_never_opened),
		cmocka_unit_test(controls_that_rarely_change_are_opened),
		cmocka_unit_test(an_ept_pointer_that_l2_has_switched_stays),
		cmocka_unit_test(l2s_values_stay),
		cmocka_unit_test(l1_may_write_the_same_again),
		cmocka_unit_test(l1_writes_one_field_of_many),
		cmocka_unit_test(an_entry_that_fails_loses_nothing),
		cmocka_unit_test(guest_state_is_checked),
		cmocka_unit_test(writes_that_exit_count_too),
		cmocka_unit_test(another_vmcs_in_between),
	};

	return SCENE_RUN_BOTH("path_learn", tests);
}
