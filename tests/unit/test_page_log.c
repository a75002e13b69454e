/* SPDX-License-Identifier: MIT */
/* L1's page-modification log, by itself. SDM "Page-Modification Logging". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "vmx/nested/page_log.h"

#define LOG_AT UINT64_C(0x200000)

static struct l1_memory memory;
static struct vmcs12 vmcs12;

static int begin(void **state)
{
	(void)state;
	fake_memory_reset();
	memory = (struct l1_memory){
		.hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE,
		.scratch = phys_of(page_alloc()), .physical_address_bits = 40,
	};
	vmcs12_set(&vmcs12, VMCS_PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	vmcs12_set(&vmcs12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_ENABLE_PML);
	vmcs12_set(&vmcs12, VMCS_PML_ADDRESS, LOG_AT);
	vmcs12_set(&vmcs12, VMCS_PML_INDEX, 511);
	return 0;
}

static u64 entry(u64 index)
{
	return l1_read64(&memory, l1_gpa(LOG_AT + index * 8));
}

static void pages_are_logged_downwards(void **state)
{
	struct page_log log = page_log_of(&vmcs12);

	(void)state;
	page_log_add(&log, &memory, l2_gpa(0x12345678));
	page_log_add(&log, &memory, l2_gpa(0xfffffffff000));
	assert_int_equal(entry(511), 0x12345000);
	assert_int_equal(entry(510), 0xfffffffff000);
	page_log_save(&log, &vmcs12);
	assert_int_equal(vmcs12_get(&vmcs12, VMCS_PML_INDEX), 509);
}

static void the_log_is_full_outside_0_to_511(void **state)
{
	static const struct {
		u16 index;
		bool full;
	} cases[] = { { 0, false }, { 511, false }, { 512, true }, { 0x8000, true }, { 0xffff, true } };

	(void)state;
	for (unsigned int i = 0; i < array_size(cases); i++) {
		struct page_log log;

		vmcs12_set(&vmcs12, VMCS_PML_INDEX, cases[i].index);
		log = page_log_of(&vmcs12);
		assert_int_equal(page_log_is_full(&log), cases[i].full);
	}
}

static void the_last_entry_makes_it_full(void **state)
{
	struct page_log log;

	(void)state;
	vmcs12_set(&vmcs12, VMCS_PML_INDEX, 0);
	log = page_log_of(&vmcs12);
	page_log_add(&log, &memory, l2_gpa(0x1000));
	assert_int_equal(entry(0), 0x1000);
	assert_true(page_log_is_full(&log));
	page_log_save(&log, &vmcs12);
	assert_int_equal(vmcs12_get(&vmcs12, VMCS_PML_INDEX), 0xffff);
}

static void a_log_in_hidden_memory_is_the_scratch_page(void **state)
{
	struct page_log log;
	const u64 *scratch = phys_to_ptr(memory.scratch);

	(void)state;
	vmcs12_set(&vmcs12, VMCS_PML_ADDRESS, FAKE_BLOCK_BASE + 0x7000);
	log = page_log_of(&vmcs12);
	page_log_add(&log, &memory, l2_gpa(0x5000));
	assert_int_equal(scratch[511], 0x5000);
}

static void without_the_control_nothing_is_logged_and_never_full(void **state)
{
	struct page_log log;

	(void)state;
	vmcs12_set(&vmcs12, VMCS_PML_INDEX, 0xffff);
	vmcs12_set(&vmcs12, VMCS_PROCESSOR_BASED_CONTROLS, 0); /* secondary controls count as 0 */
	log = page_log_of(&vmcs12);
	assert_false(page_log_is_full(&log));
	page_log_add(&log, &memory, l2_gpa(0x5000));
	page_log_save(&log, &vmcs12);
	assert_int_equal(vmcs12_get(&vmcs12, VMCS_PML_INDEX), 0xffff);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_logged_downwards),
		TEST(the_log_is_full_outside_0_to_511),
		TEST(the_last_entry_makes_it_full),
		TEST(a_log_in_hidden_memory_is_the_scratch_page),
		TEST(without_the_control_nothing_is_logged_and_never_full),
	};

	return cmocka_run_group_tests_name("page_log", tests, NULL, NULL);
}
