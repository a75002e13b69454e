/* SPDX-License-Identifier: MIT */
/*
 * The vmcs12s that L0 caches, the pages it needs for them, and hardware's shadow VMCS, on
 * the model. SDM "Managing VMCS Regions and Pointers", "VMCS Types: Ordinary and Shadow".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "mm/page_alloc.h"

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_play();
}

static u64 in_memory(u32 region, vmcs_field field)
{
	return vmcs12_get(l1_pointer(L1_REGION(region)), field);
}

/* Expect: a ninth region sends the one used least recently home, with all that vmcs02 had of it, and back it comes. */
static void a_ninth_region_evicts_the_oldest(void **state)
{
	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_ES_BASE) = 0x4321;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(in_memory(0, VMCS_GUEST_ES_BASE), 0);
	for (u32 n = 1; n <= NESTED_SLOTS; n++) {
		l1_make_region(L1_REGION(n));
		assert_int_equal(l1_vmptrld(L1_REGION(n)).outcome, L1_OK);
	}
	assert_null(slots_find(model.vcpu.nested, L1_REGION(0)));
	assert_int_equal(in_memory(0, VMCS_GUEST_ES_BASE), 0x4321);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_null(slots_find(model.vcpu.nested, L1_REGION(1)));
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x4321);
	assert_int_equal(l1_vmlaunch().error, VMERR_VMLAUNCH_NOT_CLEAR);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x4321);
}

static void vmclear_writes_all_and_forgets(void **state)
{
	(void)state;
	begin();
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding, 77).outcome, L1_OK);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(in_memory(0, VMCS_TSC_OFFSET), 77);
	assert_int_equal(model.vcpu.nested->state, NESTED_ROOT);
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_INVALID);
}

/* VMCLEAR of a region that L0 does not have: only the launch state changes. */
static void vmclear_of_another_region_touches_its_launch_state(void **state)
{
	struct vmcs12 *region = l1_pointer(L1_REGION(5)), before;

	(void)state;
	begin();
	memset(region, 0xa5, sizeof(*region));
	before = *region;
	before.launch_state = LAUNCH_STATE_CLEAR;
	assert_int_equal(l1_vmclear(L1_REGION(5)).outcome, L1_OK);
	assert_memory_equal(region, &before, sizeof(before));
	assert_int_equal(model.vcpu.nested->state, NESTED_ROOT_CURRENT);
}

static void vmxoff_sends_all_home(void **state)
{
	(void)state;
	begin();
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding, 99).outcome, L1_OK);
	l1_make_region(L1_REGION(1));
	assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
	assert_int_equal(l1_vmxoff().outcome, L1_OK);
	assert_int_equal(model.vcpu.nested->state, NESTED_OUTSIDE);
	assert_int_equal(in_memory(0, VMCS_TSC_OFFSET), 99);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).vector, VECTOR_UD);
	assert_int_equal(l1_vmxon(L1_VMXON).outcome, L1_OK);
}

/* Two vmcs12s take turns: each has its own vmcs02, and none is built anew. */
static void two_regions_take_turns(void **state)
{
	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_RSP) = 0xaaaa;
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_start(1, &scene.vmcs12);
	scene_enter();
	*processor_field(VMCS_GUEST_RSP) = 0xbbbb;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0xaaaa);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_RSP), 0xaaaa);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0xbbbb);
}

/* What L1 wrote without an exit is in the shadow VMCS of a region that is not current any more. */
static void vmclear_of_a_region_that_is_not_current_writes_all(void **state)
{
	(void)state;
	begin();
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x7777).outcome, L1_OK);
	l1_make_region(L1_REGION(1));
	assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x8888).outcome, L1_OK);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(in_memory(0, VMCS_GUEST_RSP), 0x7777);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x8888);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x7777);
}

/* Expect: a VMCS that comes back as it was is not built anew. */
static void a_region_that_comes_back_unchanged_keeps_its_vmcs02(void **state)
{
	u64 writes;

	(void)state;
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_FS_BASE) = 0x5151;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(in_memory(0, VMCS_GUEST_FS_BASE), 0x5151);
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_vmresume().error, VMERR_VMRESUME_NOT_LAUNCHED);
	writes = model.cpu.counter[COUNTER_VMWRITES];
	assert_int_equal(l1_vmlaunch().outcome, L1_IN_L2);
	assert_true(model.cpu.counter[COUNTER_VMWRITES] - writes < 40);
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x5151);
	scene_exit_to_l1(EXIT_CPUID, 0);
}

/* Expect: each field that L1 changes in memory while the VMCS is not active counts, whether an entry came before or not. */
static void a_region_edited_in_memory_is_read_again(void **state)
{
	const vmcs_field edited[] = { VMCS_FIELD(GUEST_FS_BASE), VMCS_FIELD(GUEST_RSP), VMCS_FIELD(TSC_OFFSET), VMCS_FIELD(GUEST_CR3) };

	(void)state;
	begin();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	for (u32 i = 0; i < array_size(edited); i++) {
		struct vmcs12 *region = l1_pointer(L1_REGION(0));

		assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
		vmcs12_set(region, edited[i], 0x3000);
		assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
		assert_int_equal(l1_get(edited[i]), 0x3000);
		assert_int_equal(l1_vmlaunch().outcome, L1_IN_L2);
		assert_int_equal(scene_running(edited[i]), 0x3000);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_get(edited[i]), 0x3000);
	}
}

/* The launch state is L1's to spoil, too: only "launched" is launched. */
static void the_launch_state_in_memory_counts(void **state)
{
	struct vmcs12 *region = l1_pointer(L1_REGION(0));

	(void)state;
	begin();
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	region->launch_state = LAUNCH_STATE_LAUNCHED;
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_vmlaunch().error, VMERR_VMLAUNCH_NOT_CLEAR);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	region->launch_state = 77;
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_vmresume().error, VMERR_VMRESUME_NOT_LAUNCHED);
	scene_enter();
}

/* Expect: an address that L1 uses for another guest's VMCS has nothing of the first. */
static void an_address_can_be_another_guest(void **state)
{
	(void)state;
	begin();
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x1111).outcome, L1_OK);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	l1_make_region(L1_REGION(0));
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (insn_field(&model.vcpu.nested->offered, vmcs_fields[i].field.encoding))
			assert_int_equal(l1_get(vmcs_fields[i].field), 0);
	assert_int_equal(l1_vmlaunch().error, VMERR_CONTROLS);
}

/* Expect: shadowed fields fail as others do, by hardware or by L0. */
static void without_a_current_vmcs_there_is_nothing_to_read(void **state)
{
	const vmcs_field fields[] = { VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_LDTR_BASE), VMCS_FIELD(EXIT_REASON) };

	(void)state;
	begin();
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	for (u32 i = 0; i < array_size(fields); i++) {
		assert_int_equal(l1_vmread(fields[i].encoding, &(u64){ 0 }).outcome, L1_FAIL_INVALID);
		assert_int_equal(l1_vmwrite(fields[i].encoding, 0).outcome, L1_FAIL_INVALID);
	}
	assert_int_equal(l1_vmxoff().outcome, L1_OK);
	for (u32 i = 0; i < array_size(fields); i++)
		assert_int_equal(l1_vmread(fields[i].encoding, &(u64){ 0 }).vector, VECTOR_UD);
}

/* --- VMREAD and VMWRITE, with and without a shadow VMCS --------------------------------------- */

static u64 vmcs_exits(void)
{
	return model.cpu.counter[COUNTER_VMREAD_EXITS] + model.cpu.counter[COUNTER_VMWRITE_EXITS];
}

/* Expect: shadowed fields do not exit, and mean the same as without shadowing. */
static void shadowed_fields_do_not_exit(void **state)
{
	(void)state;
	for (u32 shadowing = 0; shadowing < 2; shadowing++) {
		u64 exits;

		scene_begin(BUILD_LONG);
		if (!shadowing)
			scene.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
		scene_play();
		for (u32 round = 0; round < 2; round++) { /* enough to learn it */
			scene_enter();
			scene_exit_to_l1(EXIT_CPUID, 0);
			assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x1000 + round).outcome, L1_OK);
		}
		exits = vmcs_exits();
		assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x1234).outcome, L1_OK);
		assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x1234);
		assert_int_equal(vmcs_exits() - exits, shadowing && !scene_is_soft ? 0 : 2);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_RSP), 0x1234);
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
}

/* A processor whose VMWRITE cannot write read-only fields: exit information cannot be put into a shadow VMCS. */
static void without_vmwrite_to_any_field_there_is_no_shadowing(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene.hardware.misc &= ~VMX_MISC_VMWRITE_ANY_FIELD;
	scene_play();
	assert_false(model.vcpu.nested->shadowing);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_EXIT_REASON.encoding, 0).error, VMERR_READ_ONLY_FIELD);
}

/* "Activate secondary controls" is written without an exit and takes EPT and VPIDs with it. */
static void secondary_controls_go_without_an_exit(void **state)
{
	u64 proc;

	(void)state;
	begin();
	scene_enter();
	assert_int_not_equal(scene_running(VMCS_EPT_POINTER), model.machine->eptp01);
	*processor_field(VMCS_GUEST_FS_BASE) = 0x9876;
	scene_exit_to_l1(EXIT_CPUID, 0);
	proc = l1_get(VMCS_PROCESSOR_BASED_CONTROLS);
	assert_int_equal(l1_vmwrite(VMCS_PROCESSOR_BASED_CONTROLS.encoding, proc & ~(u64)PROC_ACTIVATE_SECONDARY_CONTROLS).outcome, L1_OK);
	scene_enter();
	assert_int_equal(scene_running(VMCS_EPT_POINTER), model.machine->eptp01);
	assert_int_equal(scene_running(VMCS_VPID), 0);
	assert_int_equal(scene_running(VMCS_GUEST_FS_BASE), 0x9876);
}

static void memory_operands_and_high_halves(void **state)
{
	u64 value;

	(void)state;
	begin();
	assert_int_equal(l1_vmwrite_from_memory(VMCS_TSC_OFFSET.encoding, 0x1122334455667788).outcome, L1_OK);
	assert_int_equal(l1_vmread_to_memory(VMCS_TSC_OFFSET.encoding + 1, &value).outcome, L1_OK);
	assert_int_equal(value, 0x11223344);
	assert_int_equal(l1_vmread_to_memory(0x7ffe, &value).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_vmwrite(UINT64_C(0x100000000) | VMCS_TSC_OFFSET.encoding, 0).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_vmptrst(&value).outcome, L1_OK);
	assert_int_equal(value, L1_REGION(0));
}

/* --- pages --------------------------------------------------------------------------------------- */

/* Expect: bring-up refuses in good order however few pages there are, and all it takes it takes then. */
static void too_few_pages_are_refused_at_bring_up(void **state)
{
	u64 pages = 0, refused = 0;

	(void)state;
	scene_begin(BUILD_LONG);
	while (!model_boot_with(&scene.hardware, true, pages)) {
		pages += pages < 100 ? 25 : 1;
		refused++;
		assert_true(pages < FAKE_BLOCK_SIZE / PAGE_SIZE);
	}
	assert_true(refused > 20);
	assert_int_equal(page_alloc_remaining(), 0);
	l1_start(0, &scene.vmcs12);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ninth_region_evicts_the_oldest),
		cmocka_unit_test(vmclear_writes_all_and_forgets),
		cmocka_unit_test(vmclear_of_another_region_touches_its_launch_state),
		cmocka_unit_test(vmxoff_sends_all_home),
		cmocka_unit_test(two_regions_take_turns),
		cmocka_unit_test(vmclear_of_a_region_that_is_not_current_writes_all),
		cmocka_unit_test(a_region_that_comes_back_unchanged_keeps_its_vmcs02),
		cmocka_unit_test(a_region_edited_in_memory_is_read_again),
		cmocka_unit_test(the_launch_state_in_memory_counts),
		cmocka_unit_test(an_address_can_be_another_guest),
		cmocka_unit_test(without_a_current_vmcs_there_is_nothing_to_read),
		cmocka_unit_test(shadowed_fields_do_not_exit),
		cmocka_unit_test(without_vmwrite_to_any_field_there_is_no_shadowing),
		cmocka_unit_test(secondary_controls_go_without_an_exit),
		cmocka_unit_test(memory_operands_and_high_halves),
		cmocka_unit_test(too_few_pages_are_refused_at_bring_up),
	};

	return SCENE_RUN_BOTH("path_slots", tests);
}
