/* SPDX-License-Identifier: MIT */
/* VTPR and the TPR threshold. SDM "TPR Virtualization", "VM-Execution Control Fields". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/task_priority.h"

#define VTPR 0x80

static struct builder builder;

static void control12(enum control_word word, u32 mask, bool on)
{
	u32 value = vmcs12_control(&builder.vmcs12, word);

	vmcs12_set(&builder.vmcs12, control_fields[word], on ? value | mask : value & ~mask);
}

static u32 vtpr(void)
{
	u32 value;

	l1_read(&builder.memory, l1_gpa(BUILDER_VIRTUAL_APIC + VTPR), &value, sizeof(value));
	return value;
}

static void start(u32 value, u64 threshold)
{
	builder_init(&builder, BUILD_EVERYTHING);
	control12(WORD_PROC, PROC_USE_TPR_SHADOW | PROC_ACTIVATE_SECONDARY_CONTROLS, true);
	control12(WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUAL_INTERRUPT_DELIVERY | PROC2_VIRTUALIZE_X2APIC_MODE, false);
	vmcs12_set(&builder.vmcs12, VMCS_VIRTUAL_APIC_ADDRESS, BUILDER_VIRTUAL_APIC);
	vmcs12_set(&builder.vmcs12, VMCS_TPR_THRESHOLD, threshold);
	l1_write(&builder.memory, l1_gpa(BUILDER_VIRTUAL_APIC + VTPR), &value, sizeof(value));
}

static bool refused(void)
{
	return task_priority_is_refused(&builder.vmcs12, task_priority_class(&builder.vmcs12, &builder.memory));
}

/* Expect: bits 7:4 of VTPR alone count. */
static void vm_entry_refuses_a_class_below_the_threshold(void **state)
{
	(void)state;
	for (u32 priority = 0; priority < 16; priority++)
		for (u32 threshold = 0; threshold < 16; threshold++) {
			start(0xabcdef0f | priority << 4, threshold);
			assert_int_equal(task_priority_class(&builder.vmcs12, &builder.memory), priority);
			assert_int_equal(refused(), priority < threshold);
		}
}

static void without_the_shadow_or_with_apic_virtualization_it_does_not(void **state)
{
	(void)state;
	start(0, 1);
	assert_true(refused());
	control12(WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES, true);
	assert_false(refused());
	start(0, 1);
	control12(WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY, true);
	assert_false(refused());
	start(0, 1);
	control12(WORD_PROC, PROC_USE_TPR_SHADOW, false);
	assert_false(refused());
}

static void moving_to_cr8_sets_the_class_and_clears_the_rest(void **state)
{
	(void)state;
	start(0xffffffff, 0);
	assert_true(task_priority_write_cr8(&builder.vmcs12, &builder.memory, 5));
	assert_int_equal(vtpr(), 0x50);
	assert_false(task_priority_write_cr8(&builder.vmcs12, &builder.memory, 0x10));
	assert_false(task_priority_write_cr8(&builder.vmcs12, &builder.memory, UINT64_C(1) << 32));
	assert_int_equal(vtpr(), 0x50);
}

static void the_msr_has_eight_bits(void **state)
{
	(void)state;
	start(0xffffffff, 0);
	assert_true(task_priority_write_msr(&builder.vmcs12, &builder.memory, 0x5b));
	assert_int_equal(vtpr(), 0x5b);
	assert_false(task_priority_write_msr(&builder.vmcs12, &builder.memory, 0x100));
	assert_false(task_priority_write_msr(&builder.vmcs12, &builder.memory, UINT64_C(1) << 63));
	assert_int_equal(vtpr(), 0x5b);
}

static void the_msr_is_vtpr_in_virtual_x2apic_mode(void **state)
{
	(void)state;
	start(0, 0);
	assert_false(task_priority_has_msr(&builder.vmcs12));
	control12(WORD_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE, true);
	assert_true(task_priority_has_msr(&builder.vmcs12));
}

/* Expect: neither MOV from CR8, nor CLTS and LMSW, whose number is 0, nor another register. */
static void a_move_to_cr8_is_told_from_other_accesses(void **state)
{
	(void)state;
	assert_true(task_priority_is_move_to_cr8(0x308));
	assert_false(task_priority_is_move_to_cr8(0x318));
	assert_false(task_priority_is_move_to_cr8(0x20));
	assert_false(task_priority_is_move_to_cr8(0x30));
	assert_false(task_priority_is_move_to_cr8(0x303));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_entry_refuses_a_class_below_the_threshold),
		cmocka_unit_test(without_the_shadow_or_with_apic_virtualization_it_does_not),
		cmocka_unit_test(moving_to_cr8_sets_the_class_and_clears_the_rest),
		cmocka_unit_test(the_msr_has_eight_bits),
		cmocka_unit_test(the_msr_is_vtpr_in_virtual_x2apic_mode),
		cmocka_unit_test(a_move_to_cr8_is_told_from_other_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
