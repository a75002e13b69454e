/* SPDX-License-Identifier: MIT */
/*
 * L1 uses VMCS shadowing for its L2, on the model: L2's VMREADs and VMWRITEs work on L1's
 * shadow VMCS without an exit, and L1 finds what L2 has written. SDM "VMCS Types: Ordinary and
 * Shadow", "VMREAD", "VMWRITE".
 */
#include "tests/model/scene.h"

#include <string.h>

#define READ_BITMAP UINT64_C(0xa0000)
#define WRITE_BITMAP UINT64_C(0xa1000)
#define SHADOW 1	/* region */

static void make_shadow_region(u32 n)
{
	u32 revision = VMCS12_REVISION | VMCS_SHADOW_INDICATOR;

	l1_make_region(L1_REGION(n));
	memcpy(l1_pointer(L1_REGION(n)), &revision, sizeof(revision));
}

/* L1 opens GUEST_RSP and TSC_OFFSET for reading, GUEST_RSP for writing. */
static void open_bitmaps(void)
{
	memset(l1_pointer(READ_BITMAP), 0xff, PAGE_SIZE);
	memset(l1_pointer(WRITE_BITMAP), 0xff, PAGE_SIZE);
	((u8 *)l1_pointer(READ_BITMAP))[VMCS_GUEST_RSP.encoding / 8] &= (u8)~(1u << VMCS_GUEST_RSP.encoding % 8);
	((u8 *)l1_pointer(READ_BITMAP))[VMCS_TSC_OFFSET.encoding / 8] &= (u8)~(1u << VMCS_TSC_OFFSET.encoding % 8);
	((u8 *)l1_pointer(WRITE_BITMAP))[VMCS_GUEST_RSP.encoding / 8] &= (u8)~(1u << VMCS_GUEST_RSP.encoding % 8);
}

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, PROC2_VMCS_SHADOWING, 0);
	scene_set(VMCS_VMREAD_BITMAP_ADDRESS, READ_BITMAP);
	scene_set(VMCS_VMWRITE_BITMAP_ADDRESS, WRITE_BITMAP);
	scene_set(VMCS_VMCS_LINK_POINTER, L1_REGION(SHADOW));
	scene_play();
	open_bitmaps();
	make_shadow_region(SHADOW);
}

static void use(u32 region)
{
	assert_int_equal(l1_vmptrld(L1_REGION(region)).outcome, L1_OK);
}

/* L2's VMREAD and VMWRITE, which do not exit. */
static u64 read_in_l2(vmcs_field field)
{
	u64 value = 0;

	assert_true(model_in_l2());
	assert_int_equal(l1_vmread(field.encoding, &value).outcome, L1_OK);
	return value;
}

static void write_in_l2(vmcs_field field, u64 value)
{
	assert_true(model_in_l2());
	assert_int_equal(l1_vmwrite(field.encoding, value).outcome, L1_OK);
}

static bool is_open02(vmcs_field bitmap, vmcs_field field)
{
	const u8 *bits = phys_to_ptr(hpa(scene_running(bitmap)));

	return !(bits[field.encoding / 8] >> field.encoding % 8 & 1);
}

/* Expect: what L1 wrote there L2 reads, what L2 writes L1 reads; shadowed for L1 or not. */
static void l2_works_on_l1s_shadow_vmcs(void **state)
{
	(void)state;
	begin();
	use(SHADOW);
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding, 0x1111).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x2222).outcome, L1_OK);
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_INVALID);	/* a shadow VMCS does not run */
	use(0);
	scene_enter();
	assert_int_equal(read_in_l2(VMCS_TSC_OFFSET), 0x1111);
	assert_int_equal(read_in_l2(VMCS_GUEST_RSP), 0x2222);
	write_in_l2(VMCS_GUEST_RSP, 0x3333);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), vmcs12_get(&scene.vmcs12, VMCS_GUEST_RSP));
	use(SHADOW);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x3333);
	assert_int_equal(l1_get(VMCS_TSC_OFFSET), 0x1111);
}

/* Expect: all that L2 has written is in L1's region after VMCLEAR, and comes back from there. */
static void vmclear_of_the_shadow_vmcs_has_l2s_writes(void **state)
{
	(void)state;
	begin();
	scene_enter();
	write_in_l2(VMCS_GUEST_RSP, 0x4444);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmclear(L1_REGION(SHADOW)).outcome, L1_OK);
	assert_int_equal(vmcs12_get(l1_pointer(L1_REGION(SHADOW)), VMCS_GUEST_RSP), 0x4444);
	scene_enter();
	assert_int_equal(read_in_l2(VMCS_GUEST_RSP), 0x4444);
}

/* Expect: bitmaps are L1's at each entry, and what L0 does not serve exits. */
static void bitmaps_follow_l1s_memory(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_true(is_open02(VMCS_VMREAD_BITMAP_ADDRESS, VMCS_TSC_OFFSET));
	assert_false(is_open02(VMCS_VMWRITE_BITMAP_ADDRESS, VMCS_TSC_OFFSET));
	scene_exit_to_l1(EXIT_CPUID, 0);
	memset(l1_pointer(READ_BITMAP), 0xff, PAGE_SIZE);
	memset(l1_pointer(WRITE_BITMAP), 0, PAGE_SIZE);
	scene_enter();
	assert_false(is_open02(VMCS_VMREAD_BITMAP_ADDRESS, VMCS_TSC_OFFSET));
	assert_true(is_open02(VMCS_VMWRITE_BITMAP_ADDRESS, VMCS_TSC_OFFSET));
	assert_int_not_equal(scene_running(VMCS_VMCS_LINK_POINTER), L1_REGION(SHADOW));
}

/* A link pointer that names an ordinary VMCS is refused: SDM "Checks on Guest Non-Register State". */
static void an_ordinary_vmcs_is_no_shadow_vmcs(void **state)
{
	(void)state;
	begin();
	l1_make_region(L1_REGION(SHADOW));
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), ENTRY_FAIL_LINK_POINTER);
}

/* L1 must not change the type of an active VMCS; where it does, its memory decides, and L0 does not stumble. */
static void a_vmcs_that_changes_its_type_does_no_harm(void **state)
{
	(void)state;
	begin();
	l1_make_region(L1_REGION(SHADOW));
	use(SHADOW);
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding, 0x5555).outcome, L1_OK);
	use(0);
	make_shadow_region(SHADOW);	/* while L0 has it cached as an ordinary one */
	scene_enter();
	(void)read_in_l2(VMCS_TSC_OFFSET);
	scene_exit_to_l1(EXIT_CPUID, 0);
	use(SHADOW);
	(void)l1_get(VMCS_TSC_OFFSET);
}

static void a_link_pointer_of_none_gives_l2_no_shadow_vmcs(void **state)
{
	(void)state;
	begin();
	assert_int_equal(l1_vmwrite(VMCS_VMCS_LINK_POINTER.encoding, NO_ADDRESS).outcome, L1_OK);
	scene_enter();
	assert_int_equal(scene_running(VMCS_VMCS_LINK_POINTER), NO_ADDRESS);
	scene_exit_to_l1(EXIT_CPUID, 0);
}

/* A field of the shadow VMCS that hardware does not shadow for L1: VMREAD exits, and finds L2's value. */
static void vmwrites_of_l1_that_exit_reach_the_shadow_vmcs(void **state)
{
	(void)state;
	begin();
	memset(l1_pointer(READ_BITMAP), 0, PAGE_SIZE);
	memset(l1_pointer(WRITE_BITMAP), 0, PAGE_SIZE);
	use(SHADOW);
	assert_int_equal(l1_vmwrite_from_memory(VMCS_GUEST_ES_BASE.encoding, 0x6666).outcome, L1_OK);
	use(0);
	scene_enter();
	assert_int_equal(read_in_l2(VMCS_GUEST_ES_BASE), 0x6666);
	write_in_l2(VMCS_GUEST_ES_BASE, 0x7777);
	scene_exit_to_l1(EXIT_CPUID, 0);
	use(SHADOW);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x7777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l2_works_on_l1s_shadow_vmcs),
		cmocka_unit_test(vmclear_of_the_shadow_vmcs_has_l2s_writes),
		cmocka_unit_test(bitmaps_follow_l1s_memory),
		cmocka_unit_test(an_ordinary_vmcs_is_no_shadow_vmcs),
		cmocka_unit_test(a_vmcs_that_changes_its_type_does_no_harm),
		cmocka_unit_test(a_link_pointer_of_none_gives_l2_no_shadow_vmcs),
		cmocka_unit_test(vmwrites_of_l1_that_exit_reach_the_shadow_vmcs),
	};

	return cmocka_run_group_tests_name("path_shadow", tests, NULL, NULL);
}
