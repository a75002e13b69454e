/* SPDX-License-Identifier: MIT */
/* The model itself: L0 comes up on it, L1 becomes a hypervisor, L2 runs and exits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/model/model.h"
#include "tests/unit/vmcs12_builder.h"

static struct builder builder;

static void boot(void)
{
	builder_init(&builder, BUILD_LONG);
	assert_true(model_boot(&builder.hardware, false));
}

static void l0_comes_up_and_l1_runs(void **state)
{
	(void)state;
	boot();
	assert_true(processor.in_guest);
	assert_int_equal(model.vcpu.nested->state, NESTED_OUTSIDE);
	assert_true(model_exit_for(EXIT_CPUID, 0));
}

static void l1_runs_an_l2_and_sees_its_exit(void **state)
{
	(void)state;
	boot();
	l1_start(0, &builder.vmcs12);
	assert_int_equal(l1_vmlaunch().outcome, L1_IN_L2);
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_CPUID);
	assert_int_equal(l1_vmresume().outcome, L1_IN_L2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l0_comes_up_and_l1_runs),
		cmocka_unit_test(l1_runs_an_l2_and_sees_its_exit),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
