/* SPDX-License-Identifier: MIT */
/* The VMX-preemption timer in vmcs02: L1's, whose time L0's exits must not change, or L0's heartbeat where L1 has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/merge_world.h"

#define BEAT 0x1111
#define L1S 0x2222

static struct merge_world world;

static u64 with(u64 word, u32 mask, bool on)
{
	return on ? word | mask : word & ~(u64)mask;
}

static void start(bool heartbeat)
{
	struct vmcs_image *image01 = &world.image01;

	merge_world_init(&world, BUILD_LONG);
	image_set(image01, VMCS_PIN_BASED_CONTROLS,
		  with(image_get(image01, VMCS_PIN_BASED_CONTROLS), PIN_ACTIVATE_PREEMPTION_TIMER, heartbeat));
	image_set(image01, VMCS_EXIT_CONTROLS, with(image_get(image01, VMCS_EXIT_CONTROLS), EXIT_SAVE_PREEMPTION_TIMER, heartbeat));
	image_set(image01, VMCS_PREEMPTION_TIMER_VALUE, BEAT);
	vmcs12_set(&world.builder.vmcs12, VMCS_PREEMPTION_TIMER_VALUE, L1S);
}

static void activate(bool on, bool save)
{
	struct vmcs12 *vmcs12 = &world.builder.vmcs12;

	vmcs12_set(vmcs12, VMCS_PIN_BASED_CONTROLS,
		   with(vmcs12_get(vmcs12, VMCS_PIN_BASED_CONTROLS), PIN_ACTIVATE_PREEMPTION_TIMER, on));
	vmcs12_set(vmcs12, VMCS_EXIT_CONTROLS, with(vmcs12_get(vmcs12, VMCS_EXIT_CONTROLS), EXIT_SAVE_PREEMPTION_TIMER, save));
}

static void expect_timer(const struct vmcs_image *image02, bool active, bool saved, u64 value)
{
	assert_int_equal(!!(image_get(image02, VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER), active);
	assert_int_equal(!!(image_get(image02, VMCS_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER), saved);
	if (active)
		assert_int_equal(image_get(image02, VMCS_PREEMPTION_TIMER_VALUE), value);
}

/* Expect: L0's exits, which L1 does not see, do not restart L1's timer, and quick ones not L0's. */
static void each_timer_as_it_is_meant(void **state)
{
	struct vmcs_image image02;

	(void)state;
	for (u32 heartbeat = 0; heartbeat < 2; heartbeat++) {
		for (u32 save = 0; save < 2; save++) {
			start(heartbeat);
			activate(false, false);
			merge(&image02, &world.input);
			expect_timer(&image02, heartbeat, heartbeat, BEAT);
			activate(true, save);
			merge(&image02, &world.input);
			expect_timer(&image02, true, true, L1S);
		}
	}
}

/* Expect: also where L1 has changed nothing else since. */
static void the_heartbeat_comes_and_goes(void **state)
{
	struct vmcs_image image02;

	(void)state;
	start(true);
	merge(&image02, &world.input);
	for (u32 round = 0; round < 4; round++) {
		activate(round % 2, false);
		merge_again(&image02, &world.input);
		expect_timer(&image02, true, true, round % 2 ? L1S : BEAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_timer_as_it_is_meant),
		cmocka_unit_test(the_heartbeat_comes_and_goes),
	};

	return cmocka_run_group_tests_name("merge_timer", tests, NULL, NULL);
}
