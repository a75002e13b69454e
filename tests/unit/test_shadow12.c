/* SPDX-License-Identifier: MIT */
/* L1's VMCS shadowing: who gets an access of L2, and what bitmaps hardware gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/shadow12.h"

#define VMREAD_BITMAP 0x20000
#define VMWRITE_BITMAP 0x21000
#define LINK 0x30000
#define UNSUPPORTED 0x203e

static struct builder builder;
static struct shadow12_access access;
static struct insn_result result;
static u64 bitmap02[PAGE_SIZE / 8];
static struct shadow12_bitmap bitmap;

static int start(void **state)
{
	static const u8 open[PAGE_SIZE];

	(void)state;
	builder_init(&builder, BUILD_EVERYTHING);
	vmcs12_set(&builder.vmcs12, VMCS_VMREAD_BITMAP_ADDRESS, VMREAD_BITMAP);
	vmcs12_set(&builder.vmcs12, VMCS_VMWRITE_BITMAP_ADDRESS, VMWRITE_BITMAP);
	vmcs12_set(&builder.vmcs12, VMCS_VMCS_LINK_POINTER, LINK);
	l1_write(&builder.memory, l1_gpa(VMREAD_BITMAP), open, PAGE_SIZE);
	l1_write(&builder.memory, l1_gpa(VMWRITE_BITMAP), open, PAGE_SIZE);
	access = (struct shadow12_access){
		.vmcs12 = &builder.vmcs12,
		.offered = &builder.offered,
		.memory = &builder.memory,
		.encoding = UNSUPPORTED,
	};
	memset(bitmap02, 0xff, sizeof(bitmap02));
	bitmap = (struct shadow12_bitmap){ .content = bitmap02 };
	memset(&bitmap.closed12, 0xff, sizeof(bitmap.closed12));
	return 0;
}

static void close_in(u64 page, u32 encoding)
{
	const u8 bit = (u8)(1u << encoding % 8);

	l1_write(&builder.memory, l1_gpa(page + encoding / 8), &bit, 1);
}

static void assert_fails(u8 outcome, u16 error)
{
	assert_false(shadow12_exits(&access, &result));
	assert_int_equal(result.outcome, outcome);
	assert_int_equal(result.error, error);
}

/* --- an access that exited ------------------------------------------------------------ */

static void each_bitmap_decides_about_its_instruction(void **state)
{
	(void)state;
	close_in(VMREAD_BITMAP, UNSUPPORTED);
	assert_true(shadow12_exits(&access, &result));
	access.write = true;
	assert_fails(INSN_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
	close_in(VMWRITE_BITMAP, UNSUPPORTED);
	assert_true(shadow12_exits(&access, &result));
}

static void what_is_beyond_bit_14_exits(void **state)
{
	(void)state;
	for (u32 bit = 15; bit < 64; bit++) {
		access.encoding = BIT(bit);
		assert_true(shadow12_exits(&access, &result));
	}
	access.encoding = 0x7fff;
	assert_fails(INSN_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
}

/* Expect: the bitmap, then the privilege level, then the link pointer, then the field. */
static void reasons_come_in_the_sdms_order(void **state)
{
	(void)state;
	access.cpl = 3;
	vmcs12_set(&builder.vmcs12, VMCS_VMCS_LINK_POINTER, ~UINT64_C(0));
	assert_false(shadow12_exits(&access, &result));
	assert_int_equal(result.outcome, INSN_FAULT);
	assert_int_equal(result.vector, VECTOR_GP);
	access.cpl = 0;
	assert_fails(INSN_FAIL_INVALID, 0);
	vmcs12_set(&builder.vmcs12, VMCS_VMCS_LINK_POINTER, LINK);
	assert_fails(INSN_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
	access.cpl = 3;
	close_in(VMREAD_BITMAP, UNSUPPORTED);
	assert_true(shadow12_exits(&access, &result));
}

/* Expect: hardware would have carried it out, so L1's bit was set when L2 was entered. */
static void an_open_field_that_exited_is_l1s(void **state)
{
	(void)state;
	access.encoding = VMCS_ENCODING_GUEST_RIP;
	assert_true(shadow12_exits(&access, &result));
}

static void a_field_that_l1_is_not_offered_does_not_exist(void **state)
{
	(void)state;
	access.encoding = VMCS_ENCODING_TSC_MULTIPLIER;
	assert_true(shadow12_exits(&access, &result));
	builder.offered.control[WORD_PROC2].may_be_1 &= ~PROC2_USE_TSC_SCALING;
	assert_fails(INSN_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
}

/* --- what hardware gets ---------------------------------------------------------------- */

static struct field_set served_fields(void)
{
	struct field_set served = { { 0 } };

	field_set_add(&served, VMCS_GUEST_RIP);
	field_set_add(&served, VMCS_GUEST_RSP);
	field_set_add(&served, VMCS_TSC_OFFSET);
	return served;
}

static bool is_closed(u32 encoding)
{
	return bitmap02[encoding / 64] >> encoding % 64 & 1;
}

static void only_served_fields_are_opened(void **state)
{
	struct field_set served = served_fields();

	(void)state;
	shadow12_refresh_bitmap(&builder.memory, VMREAD_BITMAP, &served, &bitmap);
	for (u32 encoding = 0; encoding < PAGE_SIZE * 8; encoding++) {
		bool expected = encoding == VMCS_ENCODING_GUEST_RIP || encoding == VMCS_ENCODING_GUEST_RSP ||
				encoding == VMCS_ENCODING_TSC_OFFSET || encoding == VMCS_ENCODING_TSC_OFFSET + 1;

		assert_int_equal(!is_closed(encoding), expected);
	}
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		assert_int_equal(row_set_has(&bitmap.open, vmcs_fields[i].field), field_set_has(&served, vmcs_fields[i].field));
}

static void what_l1_closes_is_closed(void **state)
{
	struct field_set served = served_fields();

	(void)state;
	close_in(VMWRITE_BITMAP, VMCS_ENCODING_GUEST_RIP);
	close_in(VMWRITE_BITMAP, VMCS_ENCODING_TSC_OFFSET);
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	assert_true(is_closed(VMCS_ENCODING_GUEST_RIP));
	assert_false(is_closed(VMCS_ENCODING_GUEST_RSP));
	assert_true(is_closed(VMCS_ENCODING_TSC_OFFSET));
	assert_false(is_closed(VMCS_ENCODING_TSC_OFFSET + 1));
	assert_false(row_set_has(&bitmap.open, VMCS_GUEST_RIP));
	assert_true(row_set_has(&bitmap.open, VMCS_GUEST_RSP));
	assert_true(row_set_has(&bitmap.open, VMCS_TSC_OFFSET));
}

/* Expect: any bit that L1 changes counts from the next time on, wherever it is, in the page and in the set. */
static void bitmaps_follow_l1s_at_each_entry(void **state)
{
	struct field_set served = served_fields();

	(void)state;
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	close_in(VMWRITE_BITMAP, VMCS_ENCODING_GUEST_RIP);
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	assert_true(is_closed(VMCS_ENCODING_GUEST_RIP));
	assert_false(row_set_has(&bitmap.open, VMCS_GUEST_RIP));
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		field_set_add(&served, vmcs_fields[i].field);
	bitmap.closed12.word[0] ^= 1; /* not what it was made of: fields are served that were not */
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (vmcs_fields[i].field.index == VMCS_INDEX_GUEST_RIP)
			continue;
		assert_true(row_set_has(&bitmap.open, vmcs_fields[i].field));
		close_in(VMWRITE_BITMAP, vmcs_fields[i].field.encoding);
		shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
		assert_true(is_closed(vmcs_fields[i].field.encoding));
		l1_write(&builder.memory, l1_gpa(VMWRITE_BITMAP), (u8[PAGE_SIZE]){ 0 }, PAGE_SIZE);
		shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
		assert_false(is_closed(vmcs_fields[i].field.encoding));
	}
}

/* Expect: a page that has become unreachable leaves nothing open, and one that is again what it was opens it again. */
static void a_bitmap_can_go_and_come_back(void **state)
{
	struct field_set served = served_fields();

	(void)state;
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	shadow12_refresh_bitmap(&builder.memory, BIT(51), &served, &bitmap);
	assert_true(is_closed(VMCS_ENCODING_GUEST_RIP));
	shadow12_refresh_bitmap(&builder.memory, VMWRITE_BITMAP, &served, &bitmap);
	assert_false(is_closed(VMCS_ENCODING_GUEST_RIP));
	assert_true(row_set_has(&bitmap.open, VMCS_GUEST_RIP));
}

static void a_bitmap_out_of_reach_is_all_ones(void **state)
{
	struct field_set served = served_fields();

	(void)state;
	shadow12_refresh_bitmap(&builder.memory, BIT(51), &served, &bitmap);
	for (u32 i = 0; i < array_size(bitmap02); i++)
		assert_true(bitmap02[i] == ~UINT64_C(0));
	assert_int_equal(row_set_has(&bitmap.open, VMCS_GUEST_RIP), false);
}

/* --- regions ----------------------------------------------------------------------------- */

static void shadow_vmcss_exist_where_shadowing_does(void **state)
{
	(void)state;
	assert_true(shadow12_is_revision(&builder.offered, VMCS12_REVISION));
	assert_true(shadow12_is_revision(&builder.offered, VMCS12_REVISION | VMCS12_SHADOW_INDICATOR));
	assert_false(shadow12_is_revision(&builder.offered, VMCS12_REVISION + 1));
	assert_false(shadow12_is_revision(&builder.offered, (VMCS12_REVISION + 1) | VMCS12_SHADOW_INDICATOR));
	builder.offered.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	assert_true(shadow12_is_revision(&builder.offered, VMCS12_REVISION));
	assert_false(shadow12_is_revision(&builder.offered, VMCS12_REVISION | VMCS12_SHADOW_INDICATOR));
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_bitmap_decides_about_its_instruction),
		TEST(what_is_beyond_bit_14_exits),
		TEST(reasons_come_in_the_sdms_order),
		TEST(an_open_field_that_exited_is_l1s),
		TEST(a_field_that_l1_is_not_offered_does_not_exist),
		TEST(only_served_fields_are_opened),
		TEST(what_l1_closes_is_closed),
		TEST(bitmaps_follow_l1s_at_each_entry),
		TEST(a_bitmap_can_go_and_come_back),
		TEST(a_bitmap_out_of_reach_is_all_ones),
		TEST(shadow_vmcss_exist_where_shadowing_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
