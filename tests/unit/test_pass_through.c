/* SPDX-License-Identifier: MIT */
/*
 * Controls that L0 passes through and no emulator has: offered where the processor has them,
 * in vmcs02 as in vmcs12 with their field, and their exits L1's. What of them could
 * reach L0's memory or stop L0: nothing, they only add exits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/merge_world.h"
#include "vmx/nested/caps12.h"
#include "vmx/nested/reflect.h"

struct passed {
	u32 control;		/* secondary */
	vmcs_field field;	/* encoding 0: none */
	u16 exits[2];
};

static const struct passed passed[] = {
	{ CONTROL_MASK(PROC2, ENABLE_ENCLS_EXITING), VMCS_FIELD(ENCLS_EXITING_BITMAP), { EXIT_ENCLS, EXIT_ENCLS } },
	{ CONTROL_MASK(PROC2, ENABLE_ENCLV_EXITING), VMCS_FIELD(ENCLV_EXITING_BITMAP), { EXIT_ENCLV, EXIT_ENCLV } },
	{ CONTROL_MASK(PROC2, INSTRUCTION_TIMEOUT), VMCS_FIELD(INSTRUCTION_TIMEOUT_CONTROL),
	  { EXIT_INSTRUCTION_TIMEOUT, EXIT_INSTRUCTION_TIMEOUT } },
	{ CONTROL_MASK(PROC2, ENABLE_USER_WAIT_AND_PAUSE), { 0, 0 }, { EXIT_UMWAIT, EXIT_TPAUSE } },
};

static struct merge_world world;
static struct vmcs_image image02;

static void start(const struct passed *p, bool set)
{
	merge_world_init(&world, BUILD_EVERYTHING);
	vmcs12_set(&world.builder.vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | (set ? p->control : 0));
	if (p->field.encoding)
		vmcs12_set(&world.builder.vmcs12, p->field, 0x5a5a1234);
	merge_world_update(&world);
	merge(&image02, &world.input);
}

static void vmcs02_has_control_and_field_of_vmcs12(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(passed); i++) {
		for (u32 set = 0; set < 2; set++) {
			start(&passed[i], set);
			assert_int_equal((image_get(&image02, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & passed[i].control) != 0, set);
			if (passed[i].field.encoding)
				assert_int_equal(image_get(&image02, passed[i].field), 0x5a5a1234);
		}
	}
}

static void vm_entry_takes_them(void **state)
{
	struct entry_failure failure;

	(void)state;
	for (u32 i = 0; i < array_size(passed); i++) {
		start(&passed[i], true);
		assert_true(check_controls(&world.builder.context, &failure));
		world.builder.offered.control[WORD_PROC2].may_be_1 &= ~passed[i].control;
		assert_false(check_controls(&world.builder.context, &failure));
	}
}

/* Expect: the bits above the basic reason do not matter: an enclave may have been interrupted. */
static void their_exits_are_l1s(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(passed); i++) {
		for (u32 j = 0; j < array_size(passed[i].exits); j++) {
			u16 basic = passed[i].exits[j];
			const struct vm_exit exit = { .reason = BIT(27) | basic, .basic = basic };
			struct reflect_question question = { .vmcs12 = &world.builder.vmcs12, .exit = &exit };

			start(&passed[i], true);
			assert_true(reflect_is_known(basic));
			assert_int_equal(reflect(&question), OWNER_L1);
		}
	}
}

static void they_are_offered_where_the_processor_has_them(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	for (u32 i = 0; i < array_size(passed); i++) {
		builder_hardware(&hardware);
		caps12_derive(&offered, &hardware);
		assert_true(caps_allow(&offered, WORD_PROC2, passed[i].control));
		hardware.control[WORD_PROC2].may_be_1 &= ~passed[i].control;
		caps12_derive(&offered, &hardware);
		assert_false(caps_allow(&offered, WORD_PROC2, passed[i].control));
		if (passed[i].field.encoding)
			assert_false(vmcs_field_exists(&vmcs_fields[passed[i].field.index], &offered));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmcs02_has_control_and_field_of_vmcs12),
		cmocka_unit_test(vm_entry_takes_them),
		cmocka_unit_test(their_exits_are_l1s),
		cmocka_unit_test(they_are_offered_where_the_processor_has_them),
	};

	return cmocka_run_group_tests_name("pass_through", tests, NULL, NULL);
}
