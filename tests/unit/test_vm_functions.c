/* SPDX-License-Identifier: MIT */
/*
 * VM functions: which VMFUNC switches EPT12, and which is L1's exit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/vm_functions.h"

#define LIST UINT64_C(0x80000)
#define EPTP(n) (UINT64_C(0x100000) + (n) * 0x1000 + (6 | 3 << 3))
#define OLD_INDEX 0x777

static struct builder builder;

static u64 *list_entry(u32 index)
{
	return (u64 *)phys_to_ptr(hpa(LIST)) + index;
}

static void start(void)
{
	builder_init(&builder, BUILD_EVERYTHING);
	vmcs12_set(&builder.vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS,
		   vmcs12_control(&builder.vmcs12, WORD_PROC2) | PROC2_ENABLE_VM_FUNCTIONS);
	vmcs12_set(&builder.vmcs12, VMCS_VM_FUNCTION_CONTROLS, VM_FUNCTION_EPTP_SWITCHING);
	vmcs12_set(&builder.vmcs12, VMCS_EPTP_LIST_ADDRESS, LIST);
	vmcs12_set(&builder.vmcs12, VMCS_EPT_POINTER, EPTP(0));
	vmcs12_set(&builder.vmcs12, VMCS_EPTP_INDEX, OLD_INDEX);
	for (u32 i = 0; i < EPTP_LIST_ENTRIES; i++)
		*list_entry(i) = EPTP(i);
}

static bool vmfunc(u32 eax, u32 ecx)
{
	return vm_function(&builder.vmcs12, &builder.offered, &builder.memory, eax, ecx);
}

static void assert_unchanged(void)
{
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPT_POINTER), EPTP(0));
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPTP_INDEX), OLD_INDEX);
}

static void function_0_takes_the_entry_that_ecx_names(void **state)
{
	static const u32 indexes[] = { 1, 0, 255, 511 };

	(void)state;
	start();
	for (u32 i = 0; i < array_size(indexes); i++) {
		assert_true(vmfunc(0, indexes[i]));
		assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPT_POINTER), EPTP(indexes[i]));
		assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPTP_INDEX), indexes[i]);
	}
}

static void an_index_beyond_the_list_is_an_exit(void **state)
{
	static const u32 indexes[] = { 512, 513, 0x10001, UINT32_MAX };

	(void)state;
	start();
	for (u32 i = 0; i < array_size(indexes); i++)
		assert_false(vmfunc(0, indexes[i]));
	assert_unchanged();
}

/* Expect: what VM entry would refuse as EPT pointer. */
static void an_entry_that_is_no_eptp_is_an_exit(void **state)
{
	static const u64 bad[] = { 0, EPTP(3) ^ 7, EPTP(3) ^ (1 << 3), EPTP(3) | BIT(11), EPTP(3) | BIT(BUILDER_PHYSICAL_BITS) };

	(void)state;
	start();
	for (u32 i = 0; i < array_size(bad); i++) {
		*list_entry(3) = bad[i];
		assert_false(vmfunc(0, 3));
	}
	assert_unchanged();
}

static void a_function_that_is_not_enabled_is_an_exit(void **state)
{
	(void)state;
	start();
	assert_false(vmfunc(1, 1));
	assert_false(vmfunc(63, 1));
	assert_false(vmfunc(64, 1));
	assert_false(vmfunc(UINT32_MAX, 1));
	vmcs12_set(&builder.vmcs12, VMCS_VM_FUNCTION_CONTROLS, ~VM_FUNCTION_EPTP_SWITCHING);
	assert_false(vmfunc(0, 1));
	assert_false(vmfunc(1, 1)); /* nor one that entry checks keep from being enabled */
	assert_unchanged();
}

/* Expect: SDM "EPTP Switching": the index is written where the processor has the #VE control, used or not. */
static void without_virtualization_exceptions_there_is_no_index(void **state)
{
	(void)state;
	start();
	builder.offered.control[WORD_PROC2].may_be_1 &= ~PROC2_EPT_VIOLATION_VE;
	assert_true(vmfunc(0, 5));
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPT_POINTER), EPTP(5));
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EPTP_INDEX), OLD_INDEX);
}

/* Expect: a list within L0's block is the scratch page. */
static void a_list_in_l0s_block_shows_the_scratch_page(void **state)
{
	(void)state;
	start();
	*(u64 *)phys_to_ptr(hpa(FAKE_BLOCK_BASE + 0x5000 + 8)) = EPTP(9);
	vmcs12_set(&builder.vmcs12, VMCS_EPTP_LIST_ADDRESS, FAKE_BLOCK_BASE + 0x5000);
	assert_int_not_equal(builder.memory.scratch.value, FAKE_BLOCK_BASE + 0x5000);
	assert_false(vmfunc(0, 1));
	assert_unchanged();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function_0_takes_the_entry_that_ecx_names),
		cmocka_unit_test(an_index_beyond_the_list_is_an_exit),
		cmocka_unit_test(an_entry_that_is_no_eptp_is_an_exit),
		cmocka_unit_test(a_function_that_is_not_enabled_is_an_exit),
		cmocka_unit_test(without_virtualization_exceptions_there_is_no_index),
		cmocka_unit_test(a_list_in_l0s_block_shows_the_scratch_page),
	};

	return cmocka_run_group_tests_name("vm_functions", tests, NULL, NULL);
}
