/* SPDX-License-Identifier: MIT */
/*
 * Virtualization exceptions: each condition of SDM "Convertible EPT Violations",
 * and every byte of the information area.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/virtualization_exception.h"

#define AREA UINT64_C(0x80000)
#define AREA_BYTES 34
#define QUALIFICATION UINT64_C(0x181)
#define LINEAR UINT64_C(0xffff800012345678)
#define PHYSICAL UINT64_C(0x123456789a)

static struct builder builder;
static struct convertible_violation violation;

static u8 *area(void)
{
	return phys_to_ptr(hpa(AREA));
}

static u64 field(u32 offset, u32 size)
{
	u64 value = 0;

	memcpy(&value, area() + offset, size);
	return value;
}

static void start(void)
{
	builder_init(&builder, BUILD_EVERYTHING);
	vmcs12_set(&builder.vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS,
		   vmcs12_control(&builder.vmcs12, WORD_PROC2) | PROC2_EPT_VIOLATION_VE);
	vmcs12_set(&builder.vmcs12, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, AREA);
	vmcs12_set(&builder.vmcs12, VMCS_EPTP_INDEX, 0x1fe);
	memset(area(), 0xcc, PAGE_SIZE);
	memset(area() + 4, 0, 4);
	violation = (struct convertible_violation){
		.qualification = QUALIFICATION, .linear = LINEAR, .physical = PHYSICAL, .cr0 = CR0_PE | CR0_PG,
	};
}

static bool convert(void)
{
	return virtualization_exception(&builder.vmcs12, &builder.memory, &violation);
}

static void the_area_tells_of_the_violation(void **state)
{
	(void)state;
	start();
	assert_true(convert());
	assert_int_equal(field(0, 4), 48);
	assert_int_equal(field(4, 4), UINT32_MAX);
	assert_true(field(8, 8) == QUALIFICATION);
	assert_true(field(16, 8) == LINEAR);
	assert_true(field(24, 8) == PHYSICAL);
	assert_int_equal(field(32, 2), 0x1fe);
	for (u32 i = AREA_BYTES; i < PAGE_SIZE; i++)
		assert_int_equal(area()[i], 0xcc);
}

static void assert_refused(void)
{
	static u8 before[PAGE_SIZE];

	memcpy(before, area(), sizeof(before));
	assert_false(convert());
	assert_memory_equal(before, area(), sizeof(before));
}

static void each_condition_alone_makes_it_an_exit(void **state)
{
	(void)state;
	start();
	violation.entry = BIT(63);
	assert_refused();
	start();
	violation.entry = UINT64_MAX;
	assert_refused();
	start();
	violation.cr0 = CR0_PG;
	assert_refused();
	start();
	violation.vectoring = true;
	assert_refused();
	start();
	vmcs12_set(&builder.vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT);
	assert_refused();
}

/* Expect: any of the 32 bits. */
static void software_that_is_not_ready_gets_none(void **state)
{
	(void)state;
	for (u32 bit = 0; bit < 32; bit++) {
		start();
		area()[4 + bit / 8] = (u8)(1u << bit % 8);
		assert_refused();
	}
}

/* Expect: no other bit of the entry matters. */
static void only_bit_63_of_the_entry_suppresses(void **state)
{
	(void)state;
	start();
	violation.entry = ~BIT(63);
	assert_true(convert());
}

static void a_second_one_waits_for_software(void **state)
{
	(void)state;
	start();
	assert_true(convert());
	assert_refused();
	memset(area() + 4, 0, 4);
	assert_true(convert());
}

/* Expect: nothing is written there, and what is in the scratch page counts. */
static void an_area_in_l0s_block_is_the_scratch_page(void **state)
{
	u8 *block;

	(void)state;
	start();
	block = phys_to_ptr(hpa(FAKE_BLOCK_BASE + 0x5000));
	memset(block, 0, PAGE_SIZE);
	memset(phys_to_ptr(builder.memory.scratch), 0, PAGE_SIZE);
	vmcs12_set(&builder.vmcs12, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, FAKE_BLOCK_BASE + 0x5000);
	assert_true(convert());
	for (u32 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(block[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_area_tells_of_the_violation),
		cmocka_unit_test(each_condition_alone_makes_it_an_exit),
		cmocka_unit_test(software_that_is_not_ready_gets_none),
		cmocka_unit_test(only_bit_63_of_the_entry_suppresses),
		cmocka_unit_test(a_second_one_waits_for_software),
		cmocka_unit_test(an_area_in_l0s_block_is_the_scratch_page),
	};

	return cmocka_run_group_tests_name("virtualization_exception", tests, NULL, NULL);
}
