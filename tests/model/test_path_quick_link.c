/* SPDX-License-Identifier: MIT */
/*
 * Quick entries of an L1 that uses VMCS shadowing for L2: the linked VMCS, its region in memory and both bitmaps are
 * L1's, and may be others at each entry. SDM "VMCS Types: Ordinary and Shadow".
 */
#include "tests/model/scene.h"

#define READ_BITMAP UINT64_C(0xa0000)
#define WRITE_BITMAP UINT64_C(0xa1000)
#define SHADOW L1_REGION(9)

/* Of each width; the last is one that L1 writes with an exit. */
static const vmcs_field kinds[] = {
	VMCS_FIELD(GUEST_RSP), VMCS_FIELD(HOST_RSP), VMCS_FIELD(GUEST_ES_SELECTOR), VMCS_FIELD(TSC_OFFSET), VMCS_FIELD(EXIT_REASON),
};

static struct vmcs12 *region(void)
{
	return l1_pointer(SHADOW);
}

static void current(u64 address)
{
	assert_int_equal(l1_vmptrld(address).outcome, L1_OK);
}

/* What hardware has for L2 behind vmcs02's link pointer. */
static u64 *linked_field(vmcs_field field)
{
	return &processor_region(scene_running(VMCS_VMCS_LINK_POINTER))->fields.value[field.index];
}

static bool is_open(vmcs_field bitmap, u32 encoding)
{
	const u8 *bits = phys_to_ptr(hpa(*processor_field(bitmap)));

	return !(bits[encoding / 8] >> encoding % 8 & 1);
}

/* One round as a hypervisor beneath another has it: its shadow VMCS cleared before its guest enters. */
static void round_of(u64 value)
{
	current(SHADOW);
	for (u32 i = 0; i < array_size(kinds); i++)
		l1_set(kinds[i], value + i);
	assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
	current(L1_REGION(0));
}

static void enter_quickly(void)
{
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
}

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_control(WORD_PROC2, PROC2_VMCS_SHADOWING, 0);
	scene_set(VMCS_VMREAD_BITMAP_ADDRESS, READ_BITMAP);
	scene_set(VMCS_VMWRITE_BITMAP_ADDRESS, WRITE_BITMAP);
	scene_set(VMCS_VMCS_LINK_POINTER, SHADOW);
	scene_play();
	l1_make_region(SHADOW);
	region()->revision |= VMCS12_SHADOW_INDICATOR;
	for (u64 round = 0; round < 4; round++) {
		round_of(0x100 * round);
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	round_of(0x1000);
	enter_quickly();
}

static void what_each_side_writes_arrives(void **state)
{
	(void)state;
	begin();
	for (u64 round = 1; round < 5; round++) {
		for (u32 i = 0; i < array_size(kinds); i++) {
			assert_int_equal(*linked_field(kinds[i]), 0x1000 * round + i);
			*linked_field(kinds[i]) += 0x80;
		}
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
		for (u32 i = 0; i < array_size(kinds); i++)
			assert_int_equal(vmcs12_get(region(), kinds[i]), 0x1000 * round + 0x80 + i);
		round_of(0x1000 * (round + 1));
		for (u32 i = 0; i < array_size(kinds); i++)
			assert_int_equal(vmcs12_get(region(), kinds[i]), 0x1000 * (round + 1) + i);
		enter_quickly();
	}
}

/* Expect: a region edited while its VMCS is not active is what L2 finds, whichever field it is. */
static void an_edited_region_counts(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < array_size(kinds); i++) {
		scene_exit_to_l1(EXIT_CPUID, 0);
		round_of(0x1000);
		vmcs12_set(region(), kinds[i], 0x4321);
		scene_enter();
		assert_int_equal(*linked_field(kinds[i]), 0x4321);
	}
}

/* Expect: the link is judged at each entry, active or not. */
static void a_spoilt_revision_is_refused(void **state)
{
	static const u32 spoilt[] = { VMCS12_REVISION, VMCS12_SHADOW_INDICATOR | (VMCS12_REVISION + 1) };

	(void)state;
	for (u32 i = 0; i < 2 * array_size(spoilt); i++) {
		begin();
		scene_exit_to_l1(EXIT_CPUID, 0);
		if (i & 1)
			round_of(0x1000);
		region()->revision = spoilt[i / 2];
		assert_int_equal(l1_vmresume().outcome, L1_EXITED);
		assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INVALID_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
		assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), ENTRY_FAIL_LINK_POINTER);
	}
}

static void the_bitmaps_are_read_at_each_entry(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < 2 * array_size(kinds); i++) {
		vmcs_field bitmap = i & 1 ? VMCS_VMWRITE_BITMAP_ADDRESS : VMCS_VMREAD_BITMAP_ADDRESS;
		u32 encoding = kinds[i / 2].encoding;
		u8 *byte = (u8 *)l1_pointer(i & 1 ? WRITE_BITMAP : READ_BITMAP) + encoding / 8;

		assert_true(is_open(bitmap, encoding));
		scene_exit_to_l1(EXIT_CPUID, 0);
		*byte |= (u8)(1u << encoding % 8);
		enter_quickly();
		assert_false(is_open(bitmap, encoding));
		scene_exit_to_l1(EXIT_CPUID, 0);
		*byte = 0;
		enter_quickly();
	}
}

/* Expect: what an evicted VMCS has is found again, wherever its slot is then; and so is one that has another's place. */
static void the_slot_may_be_anothers(void **state)
{
	(void)state;
	begin();
	for (u32 round = 0; round < 3; round++) {
		*linked_field(VMCS_GUEST_RSP) = 0x77 + round;
		scene_exit_to_l1(EXIT_CPUID, 0);
		for (u32 n = 1; n <= NESTED_SLOTS; n++) {
			l1_make_region(L1_REGION(n));
			current(L1_REGION(n));
		}
		assert_null(slots_find(model.vcpu.nested, SHADOW));
		current(L1_REGION(0));
		scene_enter();
		assert_int_equal(*linked_field(VMCS_GUEST_RSP), 0x77 + round);
	}
}

/* Expect: what an instruction leaves in a shadow VMCS without a write to it is in memory after VMCLEAR, too. */
static void an_error_number_is_in_memory(void **state)
{
	(void)state;
	begin();
	scene_exit_to_l1(EXIT_CPUID, 0);
	current(SHADOW);
	assert_int_equal(l1_vmwrite(0x203e, 0).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
	assert_int_equal(vmcs12_get(region(), VMCS_VM_INSTRUCTION_ERROR), VMERR_UNSUPPORTED_FIELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_each_side_writes_arrives),
		cmocka_unit_test(an_edited_region_counts),
		cmocka_unit_test(a_spoilt_revision_is_refused),
		cmocka_unit_test(the_bitmaps_are_read_at_each_entry),
		cmocka_unit_test(the_slot_may_be_anothers),
		cmocka_unit_test(an_error_number_is_in_memory),
	};

	return cmocka_run_group_tests_name("path_quick_link", tests, NULL, NULL);
}
