/* SPDX-License-Identifier: MIT */
/* VMCS shadowing in vmcs02: L0's shadow VMCS and bitmaps, never L1's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/merge_world.h"

static struct merge_world world;
static struct vmcs_image image02;

static u64 get02(vmcs_field field)
{
	return image_get(&image02, field);
}

static bool shadows02(void)
{
	return get02(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING;
}

static void start(void)
{
	struct vmcs12 *vmcs12 = &world.builder.vmcs12;

	merge_world_init(&world, BUILD_EVERYTHING);
	vmcs12_set(vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS,
		   vmcs12_get(vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) | PROC2_VMCS_SHADOWING);
	vmcs12_set(vmcs12, VMCS_VMCS_LINK_POINTER, 0x5000);
	vmcs12_set(vmcs12, VMCS_VMREAD_BITMAP_ADDRESS, 0x6000);
	vmcs12_set(vmcs12, VMCS_VMWRITE_BITMAP_ADDRESS, 0x7000);
}

static void l1s_shadowing_never_reaches_hardware_as_it_is(void **state)
{
	(void)state;
	start();
	merge(&image02, &world.input);
	assert_false(shadows02());
	assert_true(get02(VMCS_VMCS_LINK_POINTER) == ~UINT64_C(0));
	assert_int_equal(get02(VMCS_VMREAD_BITMAP_ADDRESS), 0);
	assert_int_equal(get02(VMCS_VMWRITE_BITMAP_ADDRESS), 0);
}

static void l0s_shadow_vmcs_takes_the_place_of_l1s(void **state)
{
	const struct merge_shadow shadow = { 0xa000, hpa(0xb000), hpa(0xc000) };

	(void)state;
	start();
	world.input.shadow = &shadow;
	merge(&image02, &world.input);
	assert_true(shadows02());
	assert_int_equal(get02(VMCS_VMCS_LINK_POINTER), 0xa000);
	assert_int_equal(get02(VMCS_VMREAD_BITMAP_ADDRESS), 0xb000);
	assert_int_equal(get02(VMCS_VMWRITE_BITMAP_ADDRESS), 0xc000);
	merge_again(&image02, &world.input);
	assert_true(shadows02());
}

/* Expect: a full merge when the shadow VMCS of L1's is in another slot than before. */
static void a_shadow_vmcs_that_has_moved_is_noticed(void **state)
{
	const struct merge_shadow shadow = { 0xa000, hpa(0xb000), hpa(0xc000) }, other = { 0xd000, hpa(0xb000), hpa(0xc000) };

	(void)state;
	start();
	world.input.shadow = &shadow;
	merge(&image02, &world.input);
	assert_false(merge_shadow_is_stale(&image02, &world.input));
	world.input.shadow = &other;
	assert_true(merge_shadow_is_stale(&image02, &world.input));
	world.input.shadow = NULL;
	assert_false(merge_shadow_is_stale(&image02, &world.input));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1s_shadowing_never_reaches_hardware_as_it_is),
		cmocka_unit_test(l0s_shadow_vmcs_takes_the_place_of_l1s),
		cmocka_unit_test(a_shadow_vmcs_that_has_moved_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
