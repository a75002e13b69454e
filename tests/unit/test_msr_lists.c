/* SPDX-License-Identifier: MIT */
/*
 * MSR areas of vmcs12: the bounded read, and the entries that must be refused.
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
#include "vmx/nested/msr_lists.h"

static const struct l1_memory memory = { .hidden_base = { FAKE_BLOCK_BASE }, .hidden_size = FAKE_BLOCK_SIZE,
					 .scratch = { FAKE_BLOCK_BASE }, .physical_address_bits = 40 };

static u32 refused_load(u32 index, u32 reserved, bool x2apic)
{
	const struct msr_entry list[3] = { { .index = IA32_PAT }, { .index = index, .reserved = reserved }, { .index = IA32_PAT } };

	assert_int_equal(msr_list_refused_load(list, 3, false, x2apic), msr_list_refused_load(list, 3, true, x2apic));
	return msr_list_refused_load(list, 3, false, x2apic);
}

static void a_list_is_copied_across_pages(void **state)
{
	struct msr_entry list[3], *first = (struct msr_entry *)((u8 *)phys_to_ptr(hpa(0x1000)) + 0xff0);

	(void)state;
	fake_memory_reset();
	first[0] = (struct msr_entry){ .index = 1, .value = 11 };
	*(struct msr_entry *)phys_to_ptr(hpa(0x2000)) = (struct msr_entry){ .index = 2, .value = 22 };
	*((struct msr_entry *)phys_to_ptr(hpa(0x2000)) + 1) = (struct msr_entry){ .index = 3, .value = 33 };
	msr_list_read(&memory, l1_gpa(0x1ff0), 3, list);
	assert_int_equal(list[0].value, 11);
	assert_int_equal(list[1].value, 22);
	assert_int_equal(list[2].value, 33);
}

/* Expect: not one entry more than the maximum is written, whatever L1 counted. */
static void a_count_beyond_the_maximum_is_cut(void **state)
{
	static struct msr_entry list[MSR_LIST_MAX + 1];

	(void)state;
	fake_memory_reset();
	list[MSR_LIST_MAX].value = 0x55;
	msr_list_read(&memory, l1_gpa(0x1000), UINT32_MAX, list);
	assert_int_equal(list[MSR_LIST_MAX].value, 0x55);
}

/* Expect: what is in L0's block is not read; the scratch page is. */
static void a_list_in_hidden_memory_reads_as_the_scratch_page(void **state)
{
	struct msr_entry entry;

	(void)state;
	fake_memory_reset();
	memset(phys_to_ptr(hpa(FAKE_BLOCK_BASE + 0x3000)), 0x77, 64);
	msr_list_read(&memory, l1_gpa(FAKE_BLOCK_BASE + 0x3000), 1, &entry);
	assert_int_equal(entry.index, 0);
}

static void an_ordinary_list_is_not_refused(void **state)
{
	(void)state;
	assert_int_equal(refused_load(IA32_KERNEL_GS_BASE, 0, true), 0);
	assert_int_equal(refused_load(IA32_EFER, 0, false), 0);
	assert_int_equal(msr_list_refused_load(NULL, 0, false, false), 0);
}

static void the_number_of_the_refused_entry_is_told(void **state)
{
	(void)state;
	assert_int_equal(refused_load(IA32_FS_BASE, 0, false), 2);
	assert_int_equal(refused_load(IA32_GS_BASE, 0, false), 2);
	assert_int_equal(refused_load(IA32_EFER, 1, false), 2);
	assert_int_equal(refused_load(IA32_SMM_MONITOR_CTL, 0, false), 2);
	assert_int_equal(refused_load(IA32_BIOS_UPDT_TRIG, 0, false), 2);
	assert_int_equal(refused_load(IA32_BIOS_SIGN_ID, 0, false), 2);
}

static void x2apic_registers_are_refused_in_x2apic_mode(void **state)
{
	(void)state;
	assert_int_equal(refused_load(IA32_X2APIC_FIRST, 0, true), 2);
	assert_int_equal(refused_load(IA32_X2APIC_LAST, 0, true), 2);
	assert_int_equal(refused_load(IA32_X2APIC_LAST + 1, 0, true), 0);
	assert_int_equal(refused_load(IA32_X2APIC_FIRST, 0, false), 0);
}

/* Expect: L1 cannot reach hardware's own through a list. */
static void msrs_that_l0_answers_are_refused(void **state)
{
	(void)state;
	assert_int_equal(refused_load(IA32_FEATURE_CONTROL, 0, false), 2);
	for (u32 msr = IA32_VMX_BASIC; msr <= IA32_VMX_EXIT_CTLS2; msr++)
		assert_int_equal(refused_load(msr, 0, false), 2);
}

static void a_store_refuses_less(void **state)
{
	const struct msr_entry good[] = { { .index = IA32_FS_BASE }, { .index = IA32_VMX_BASIC }, { .index = IA32_SMM_MONITOR_CTL } };
	const struct msr_entry smbase = { .index = IA32_SMBASE }, reserved = { .index = IA32_PAT, .reserved = 1 };
	const struct msr_entry x2apic = { .index = IA32_X2APIC_FIRST + 8 };
	const struct msr_entry traced[] = { { .index = IA32_RTIT_FIRST }, { .index = IA32_RTIT_LAST } };

	(void)state;
	assert_true(msr_list_is_hidden(IA32_RTIT_FIRST));
	assert_false(msr_list_is_hidden(IA32_RTIT_LAST + 1));
	assert_int_equal(msr_list_refused_store(&traced[0], 1, false), 1);
	assert_int_equal(msr_list_refused_store(&traced[1], 1, false), 1);
	assert_int_equal(msr_list_refused_store(good, 3, true), 0);
	assert_int_equal(msr_list_refused_store(&smbase, 1, false), 1);
	assert_int_equal(msr_list_refused_store(&reserved, 1, false), 1);
	assert_int_equal(msr_list_refused_store(&x2apic, 1, true), 1);
	assert_int_equal(msr_list_refused_store(&x2apic, 1, false), 0);
}

static bool touches(u32 index)
{
	const struct msr_entry list[2] = { { .index = IA32_EFER }, { .index = index } };

	return msr_list_touches_mtrrs(list, 2);
}

static void mtrrs_in_a_list_are_noticed(void **state)
{
	(void)state;
	assert_true(touches(IA32_MTRR_PHYSBASE0));
	assert_true(touches(IA32_MTRR_PHYSBASE0 + 19));
	assert_true(touches(IA32_MTRR_FIX64K_00000));
	assert_true(touches(IA32_MTRR_FIX16K_A0000));
	assert_true(touches(IA32_MTRR_FIX4K_C0000 + 7));
	assert_true(touches(IA32_MTRR_DEF_TYPE));
	assert_false(touches(IA32_PAT));
	assert_false(touches(IA32_MTRRCAP));
	assert_false(touches(IA32_MTRR_FIX64K_00000 + 1));
}

static void the_apic_stays_off_the_hidden_block(void **state)
{
	(void)state;
	assert_false(msr_hides_block(&memory, IA32_APIC_BASE, 0xfee00900));
	assert_false(msr_hides_block(&memory, IA32_APIC_BASE, (FAKE_BLOCK_BASE - PAGE_SIZE) | 0x900));
	assert_true(msr_hides_block(&memory, IA32_APIC_BASE, FAKE_BLOCK_BASE | 0x900));
	assert_true(msr_hides_block(&memory, IA32_APIC_BASE, (FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE - PAGE_SIZE) | 0xc00));
	assert_false(msr_hides_block(&memory, IA32_APIC_BASE, FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE));
	assert_false(msr_hides_block(&memory, IA32_PAT, FAKE_BLOCK_BASE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_copied_across_pages),
		cmocka_unit_test(a_count_beyond_the_maximum_is_cut),
		cmocka_unit_test(a_list_in_hidden_memory_reads_as_the_scratch_page),
		cmocka_unit_test(an_ordinary_list_is_not_refused),
		cmocka_unit_test(the_number_of_the_refused_entry_is_told),
		cmocka_unit_test(x2apic_registers_are_refused_in_x2apic_mode),
		cmocka_unit_test(msrs_that_l0_answers_are_refused),
		cmocka_unit_test(a_store_refuses_less),
		cmocka_unit_test(mtrrs_in_a_list_are_noticed),
		cmocka_unit_test(the_apic_stays_off_the_hidden_block),
	};

	return cmocka_run_group_tests_name("msr_lists", tests, NULL, NULL);
}
