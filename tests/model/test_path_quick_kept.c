/* SPDX-License-Identifier: MIT */
/*
 * Quick entries and exits of a vmcs12 that does not both load and save IA32_EFER, IA32_PAT and the preemption timer, or whose
 * VPID shares its tag: usually there is nothing to do about that (quick_plan.h, `steady`), and each case here is one in which there is.
 */
#include "tests/model/scene.h"

#include "tests/model/guest.h"

#define BITMAP UINT64_C(0xb0000)
#define EPT12 UINT64_C(0x40000)
#define L2_PAT UINT64_C(0x0007040600070406)
#define OTHER_PAT UINT64_C(0x0407050600070106)
#define TIMER 0xfffffff0
#define OLD UINT64_C(0x200000)

static const struct quick_plan *plan(void)
{
	return &model.vcpu.nested->current->quick;
}

/* As KVM has it where L1's EFER and L2's are the same: EFER neither loaded nor saved, PAT and timer loaded, not saved. */
static void prepare(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER | PIN_NMI_EXITING, 0);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_LOAD_IA32_PAT,
		      EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_EFER | EXIT_SAVE_IA32_PAT | EXIT_SAVE_PREEMPTION_TIMER);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PAT, ENTRY_LOAD_IA32_EFER);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_control(WORD_PROC2, PROC2_ENABLE_VPID, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_VPID, 5);
	scene_set(VMCS_EPT_POINTER, EPT12 | 6 | 3 << 3);
	scene_set(VMCS_GUEST_IA32_PAT, L2_PAT);
	scene_set(VMCS_PREEMPTION_TIMER_VALUE, TIMER);
}

static void play_rounds(void)
{
	for (u64 round = 0; round < 8; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
}

static void begin(void)
{
	prepare();
	scene_play();
	play_rounds();
	assert_true(plan()->steady);
}

/* Expect: both are quick. */
static void enter_quickly(void)
{
	scene_enter();
	assert_true(plan()->entered);
}

static void leave_quickly(void)
{
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(model.vcpu.nested->current->deferred);
}

/* --- PAT and EFER -------------------------------------------------------------------- */

/* Expect: L2's own value is gone with the next entry, and never L1's. */
static void l2_changes_its_pat(void **state)
{
	u64 host;

	(void)state;
	begin();
	host = scene_of12(VMCS_HOST_IA32_PAT);
	for (u32 round = 0; round < 3; round++) {
		enter_quickly();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_PAT), L2_PAT);
		*processor_field(VMCS_GUEST_IA32_PAT) = OTHER_PAT;
		leave_quickly();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_PAT), host);
		assert_int_equal(scene_of12(VMCS_GUEST_IA32_PAT), L2_PAT);
	}
}

/* Expect: the same where the exit is not quick. */
static void l2_changes_its_pat_before_a_slow_exit(void **state)
{
	const struct model_exit nmi = { .reason = EXIT_EXCEPTION_OR_NMI, .interruption_information = INTERRUPTION_VALID | 0x202 };

	(void)state;
	begin();
	enter_quickly();
	*processor_field(VMCS_GUEST_IA32_PAT) = OTHER_PAT;
	assert_true(model_exit(&nmi));
	assert_false(model_in_l2() || model.vcpu.nested->current->deferred);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = 0; /* L1's IRET */
	enter_quickly();
	assert_int_equal(scene_running(VMCS_GUEST_IA32_PAT), L2_PAT);
}

/* Expect: L1 goes on with it, and so does L2 after it. */
static void l2_changes_its_efer(void **state)
{
	u64 efer;

	(void)state;
	begin();
	for (u32 round = 0; round < 3; round++) {
		enter_quickly();
		efer = scene_running(VMCS_GUEST_IA32_EFER) ^ EFER_NXE;
		*processor_field(VMCS_GUEST_IA32_EFER) = efer;
		leave_quickly();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		play_rounds();
		assert_true(plan()->steady);
	}
}

/* Expect: L2 has it, too. */
static void l1_changes_its_efer(void **state)
{
	u64 efer;

	(void)state;
	begin();
	efer = scene_running(VMCS_GUEST_IA32_EFER) ^ EFER_NXE;
	*processor_field(VMCS_GUEST_IA32_EFER) = efer;
	for (u32 round = 0; round < 3; round++) {
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
	}
}

/* Expect: where exits load L1's and do not save L2's, each entry begins with L1's or vmcs12's again. */
static void l2s_efer_does_not_last(void **state)
{
	u64 efer;

	(void)state;
	for (u32 loads = 0; loads < 2; loads++) {
		prepare();
		scene_control(WORD_EXIT, EXIT_LOAD_IA32_EFER, 0);
		scene_control(WORD_ENTRY, loads ? ENTRY_LOAD_IA32_EFER : 0, 0);
		scene_play();
		efer = scene_of12(VMCS_HOST_IA32_EFER);
		assert_int_equal(scene_of12(VMCS_GUEST_IA32_EFER), efer);
		play_rounds();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		for (u32 round = 0; round < 4; round++) {
			enter_quickly();
			assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
			*processor_field(VMCS_GUEST_IA32_EFER) = efer ^ EFER_NXE;
			leave_quickly();
			assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer);
		}
	}
}

/* Expect: L2 has the EFER that vmcs12 says, and L1 goes on with L2's, as often as it takes its own back. */
static void l1_takes_its_efer_back(void **state)
{
	u64 efer, efer2;

	(void)state;
	prepare();
	efer2 = vmcs12_get(&scene.vmcs12, VMCS_GUEST_IA32_EFER);
	efer = efer2 ^ EFER_NXE;
	scene_control(WORD_ENTRY, ENTRY_LOAD_IA32_EFER, 0);
	scene_play();
	for (u32 round = 0; round < 8; round++) {
		*processor_field(VMCS_GUEST_IA32_EFER) = efer;
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer2);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(scene_running(VMCS_GUEST_IA32_EFER), efer2);
	}
	assert_true(plan()->entered);
}

/* Expect: the new value, once more after L2 has changed it. */
static void l1_writes_l2s_pat(void **state)
{
	(void)state;
	begin();
	for (u64 value = L2_PAT, round = 0; round < 3; round++) {
		value ^= 1;
		l1_set(VMCS_GUEST_IA32_PAT, value);
		for (u32 entry = 0; entry < 3; entry++) {
			scene_enter();
			assert_int_equal(scene_running(VMCS_GUEST_IA32_PAT), value);
			*processor_field(VMCS_GUEST_IA32_PAT) = OTHER_PAT;
			scene_exit_to_l1(EXIT_CPUID, 0);
		}
	}
}

/* Expect: a PAT that no entry loads is L1's of now. */
static void l1_changes_a_pat_that_l2_shares(void **state)
{
	(void)state;
	prepare();
	scene_control(WORD_ENTRY, 0, ENTRY_LOAD_IA32_PAT);
	scene_play();
	for (u64 round = 0; round < 5; round++) {
		u64 pat = L2_PAT ^ (round / 2 & 1);

		*processor_field(VMCS_GUEST_IA32_PAT) = pat;
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_PAT), pat);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_false(plan()->steady);
	}
}

/* --- the timer -------------------------------------------------------------------------- */

/* Expect: it begins anew with each entry of L1's, and goes on over exits that L1 does not see. */
static void the_timer_begins_anew(void **state)
{
	(void)state;
	begin();
	for (u64 round = 1; round < 4; round++) {
		enter_quickly();
		assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
		*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = 0x1000 * round;
		scene_exit_to_l0();
		assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), 0x1000 * round);
		*processor_field(VMCS_PREEMPTION_TIMER_VALUE) -= 1;
		leave_quickly();
		assert_int_equal(scene_of12(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
	}
}

static void l1_winds_the_timer_up(void **state)
{
	(void)state;
	begin();
	for (u64 round = 1; round < 6; round++) {
		l1_set(VMCS_PREEMPTION_TIMER_VALUE, 0x10000 * round);
		for (u32 entry = 0; entry < 2; entry++) {
			scene_enter();
			assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), 0x10000 * round);
			*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = 1;
			scene_exit_to_l1(EXIT_CPUID, 0);
		}
	}
}

/* Expect: also with the entry after the first quick exit, from which on there is nothing to do about the rest. */
static void the_timer_begins_anew_from_the_start(void **state)
{
	(void)state;
	prepare();
	scene_play();
	for (u32 round = 0; round < 8; round++) {
		scene_enter();
		assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
		*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = 0x1000;
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(scene_of12(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
	}
	assert_true(plan()->steady);
}

/* --- tags --------------------------------------------------------------------------------- */

static void make_ept12(void)
{
	u64 *pml4 = l1_pointer(EPT12), *pdpt = l1_pointer(EPT12 + 0x1000), *pd = l1_pointer(EPT12 + 0x2000);
	u64 *pt = l1_pointer(EPT12 + 0x3000);

	pml4[0] = (EPT12 + 0x1000) | 7;
	pdpt[0] = (EPT12 + 0x2000) | 7;
	pd[1] = (EPT12 + 0x3000) | 7;
	for (u64 i = 0; i < 512; i++)
		pt[i] = (OLD + i * PAGE_SIZE) | 0x37;
}

static void use_vmcs(u32 n)
{
	assert_int_equal(l1_vmptrld(L1_REGION(n)).outcome, L1_OK);
}

/* Expect: L2's own page, where the other VMCS's page tables have another one. */
static void look_at(u64 page)
{
	scene_enter();
	guest_note_switch(model.vcpu.nested->current->vmcs12);
	guest_edit(0, page);
	assert_true(guest_access(0, 1));
	assert_int_equal(guest_accessed, page);
	scene_exit_to_l1(EXIT_CPUID, 0);
	guest_note_switch(model.vcpu.nested->current->vmcs12);
}

/* Expect: two VMCSs whose VPIDs have one tag never see each other's translations, however often they take turns. */
static void a_tag_is_shared_between_quick_entries(void **state)
{
	(void)state;
	prepare();
	scene_set(VMCS_VPID, 1);
	scene_play();
	make_ept12();
	l1_make_region(L1_REGION(1));
	use_vmcs(1);
	l1_write_all(&scene.vmcs12);
	l1_set(VMCS_VPID, 0xffff);
	guest_accesses_begin();
	for (u64 turn = 0; turn < 12; turn++) {
		use_vmcs(turn & 1);
		for (u64 round = 0; round <= turn % 3; round++)
			look_at(OLD + (turn & 1) * PAGE_SIZE);
	}
	assert_true(plan()->entered);
}

/* Expect: no INVVPID for one that has the tag to itself. */
static void a_tag_that_nobody_shares_is_not_flushed(void **state)
{
	(void)state;
	prepare();
	scene_set(VMCS_VPID, 1);
	scene_play();
	make_ept12();
	play_rounds();
	guest_accesses_begin();
	enter_quickly();
	assert_true(guest_access(0, 1));
	guest_edit(0, OLD + PAGE_SIZE);
	leave_quickly();
	enter_quickly();
	assert_true(guest_access(0, 1));
	assert_int_equal(guest_accessed, OLD);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l2_changes_its_pat),
		cmocka_unit_test(l2_changes_its_pat_before_a_slow_exit),
		cmocka_unit_test(l2_changes_its_efer),
		cmocka_unit_test(l1_changes_its_efer),
		cmocka_unit_test(l2s_efer_does_not_last),
		cmocka_unit_test(l1_takes_its_efer_back),
		cmocka_unit_test(l1_writes_l2s_pat),
		cmocka_unit_test(l1_changes_a_pat_that_l2_shares),
		cmocka_unit_test(the_timer_begins_anew),
		cmocka_unit_test(the_timer_begins_anew_from_the_start),
		cmocka_unit_test(l1_winds_the_timer_up),
		cmocka_unit_test(a_tag_is_shared_between_quick_entries),
		cmocka_unit_test(a_tag_that_nobody_shares_is_not_flushed),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return SCENE_RUN_BOTH("path_quick_kept", tests);
}
