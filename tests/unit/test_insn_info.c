/* SPDX-License-Identifier: MIT */
/*
 * Instruction information and effective addresses, against what the processor's
 * own address generation does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "vmx/insn_info.h"

#define FLAT_DATA 0xc093
#define FLAT_CODE 0xc09b

static u64 gpr[16];

/* A memory operand [base + index << scale] with that address size (0: 16, 1: 32, 2: 64 bits). */
static struct insn_info memory_operand(u32 size, u32 segment, int base, int index, u32 scale)
{
	u32 word = scale | size << 7 | segment << 15;

	word |= base < 0 ? 1u << 27 : (u32)base << 23;
	word |= index < 0 ? 1u << 22 : (u32)index << 18;
	return insn_info_decode(word);
}

static struct insn_context context_64(void)
{
	return (struct insn_context){ .gpr = gpr, .mode_64bit = true, .linear_address_bits = 48 };
}

static struct insn_context context_32(u64 base, u32 limit, u32 access_rights)
{
	return (struct insn_context){ .gpr = gpr, .linear_address_bits = 48,
				      .segment = { .base = base, .limit = limit, .access_rights = access_rights } };
}

static u64 linear(struct operand_address address)
{
	assert_false(address.faulted);
	return address.linear.value;
}

static void expect_fault(struct operand_address address, u8 vector)
{
	assert_true(address.faulted);
	assert_int_equal(address.vector, vector);
}

static void a_register_operand_is_decoded(void **state)
{
	struct insn_info info = insn_info_decode(1u << 10 | 9u << 3 | 12u << 28);

	(void)state;
	assert_true(info.is_register);
	assert_int_equal(info.reg1, 9);
	assert_int_equal(info.reg2, 12);
}

static void a_memory_operand_is_decoded(void **state)
{
	struct insn_info info = insn_info_decode(3u | 2u << 7 | 4u << 15 | 5u << 18 | 13u << 23 | 7u << 28);

	(void)state;
	assert_false(info.is_register);
	assert_true(info.has_base && info.has_index);
	assert_int_equal(info.base, 13);
	assert_int_equal(info.index, 5);
	assert_int_equal(info.scale, 3);
	assert_int_equal(info.address_size, 64);
	assert_int_equal(info.segment, SEGMENT_FS);
	assert_int_equal(info.reg2, 7);
}

/* Expect: a valid segment and size also for values that are not used. */
static void undefined_fields_decode_to_something_valid(void **state)
{
	(void)state;
	for (u32 value = 0; value < 8; value++) {
		struct insn_info info = insn_info_decode(value << 15 | value << 7);

		assert_true(info.segment < SEGMENT_COUNT);
		assert_true(info.address_size == 16 || info.address_size == 32 || info.address_size == 64);
	}
}

static void base_index_and_displacement_add_up(void **state)
{
	struct insn_info info = memory_operand(2, SEGMENT_DS, 3, 6, 3);
	struct insn_context context = context_64();

	(void)state;
	gpr[3] = 0x1000;
	gpr[6] = 0x10;
	context.segment.base = 0x999;	/* not used by DS in 64-bit mode */
	assert_true(linear(insn_effective_address(&info, (u64)-8, &context, 8, false)) == 0x1078);
}

static void fs_and_gs_have_bases_in_64_bit_mode(void **state)
{
	struct insn_info info = memory_operand(2, SEGMENT_GS, -1, -1, 0);
	struct insn_context context = context_64();

	(void)state;
	context.segment.base = UINT64_C(0xffff888000000000);
	assert_true(linear(insn_effective_address(&info, 0x40, &context, 8, true)) == UINT64_C(0xffff888000000040));
}

/* Expect: the offset is cut to 32 bits before the base is added. */
static void a_32_bit_address_size_cuts_the_offset(void **state)
{
	struct insn_info info = memory_operand(1, SEGMENT_FS, 0, -1, 0);
	struct insn_context context = context_64();

	(void)state;
	gpr[0] = UINT64_C(0x1fffffff0);
	context.segment.base = UINT64_C(0x100000000);
	assert_true(linear(insn_effective_address(&info, 0x20, &context, 8, false)) == UINT64_C(0x100000010));
}

static void a_non_canonical_address_faults(void **state)
{
	struct insn_info info = memory_operand(2, SEGMENT_DS, -1, -1, 0), stack = memory_operand(2, SEGMENT_SS, -1, -1, 0);
	struct insn_context context = context_64();

	(void)state;
	expect_fault(insn_effective_address(&info, UINT64_C(0x800000000000), &context, 8, false), VECTOR_GP);
	expect_fault(insn_effective_address(&stack, UINT64_C(0x800000000000), &context, 8, false), VECTOR_SS);
	/* The last byte counts too. */
	expect_fault(insn_effective_address(&info, UINT64_C(0x7ffffffffff9), &context, 8, false), VECTOR_GP);
	assert_true(linear(insn_effective_address(&info, UINT64_C(0x7ffffffffff8), &context, 8, false)) == UINT64_C(0x7ffffffffff8));
	context.linear_address_bits = 57;
	assert_true(linear(insn_effective_address(&info, UINT64_C(0x800000000000), &context, 8, false)) == UINT64_C(0x800000000000));
}

static void limits_and_types_do_not_count_in_64_bit_mode(void **state)
{
	struct insn_info info = memory_operand(2, SEGMENT_DS, -1, -1, 0);
	struct insn_context context = context_64();

	(void)state;
	context.segment = (struct segment_state){ .limit = 0, .access_rights = ACCESS_RIGHTS_UNUSABLE };
	assert_true(linear(insn_effective_address(&info, 0x12345, &context, 8, true)) == 0x12345);
}

static void a_segment_base_is_added_modulo_4_gigabytes(void **state)
{
	struct insn_info info = memory_operand(1, SEGMENT_DS, -1, -1, 0);
	struct insn_context context = context_32(0xfffff000, UINT32_MAX, FLAT_DATA);

	(void)state;
	assert_true(linear(insn_effective_address(&info, 0x2000, &context, 8, false)) == 0x1000);
}

static void a_16_bit_address_wraps(void **state)
{
	struct insn_info info = memory_operand(0, SEGMENT_DS, 3, 6, 0);
	struct insn_context context = context_32(0x10000, 0xffff, 0x93);

	(void)state;
	gpr[3] = 0xfff0;
	gpr[6] = 0x20;
	assert_true(linear(insn_effective_address(&info, 0, &context, 8, false)) == 0x10010);
}

static void an_access_beyond_the_limit_faults(void **state)
{
	struct insn_info info = memory_operand(1, SEGMENT_DS, -1, -1, 0), stack = memory_operand(1, SEGMENT_SS, -1, -1, 0);
	struct insn_context context = context_32(0, 0xfff, 0x4093);

	(void)state;
	assert_true(linear(insn_effective_address(&info, 0xff8, &context, 8, false)) == 0xff8);
	expect_fault(insn_effective_address(&info, 0xff9, &context, 8, false), VECTOR_GP);
	expect_fault(insn_effective_address(&stack, 0xff9, &context, 8, false), VECTOR_SS);
	/* Across the end of 4 GB. */
	context.segment.limit = UINT32_MAX;
	expect_fault(insn_effective_address(&info, 0xfffffffc, &context, 8, false), VECTOR_GP);
}

/* Expect: offsets up to the limit fault, those above are good up to 64 KB or 4 GB. */
static void an_expand_down_segment_lies_above_its_limit(void **state)
{
	struct insn_info info = memory_operand(1, SEGMENT_DS, -1, -1, 0);
	struct insn_context context = context_32(0, 0xfff, 0x0097);

	(void)state;
	expect_fault(insn_effective_address(&info, 0xfff, &context, 8, false), VECTOR_GP);
	assert_true(linear(insn_effective_address(&info, 0x1000, &context, 8, false)) == 0x1000);
	expect_fault(insn_effective_address(&info, 0xfff9, &context, 8, false), VECTOR_GP);
	context.segment.access_rights = 0x4097;
	assert_true(linear(insn_effective_address(&info, 0xfff9, &context, 8, false)) == 0xfff9);
	/* Conforming code has the same bit set, and does not expand down. */
	context.segment.access_rights = 0x409f;
	assert_true(linear(insn_effective_address(&info, 0x10, &context, 8, false)) == 0x10);
}

static void types_are_checked(void **state)
{
	struct insn_info info = memory_operand(1, SEGMENT_DS, -1, -1, 0);
	struct insn_context read_only = context_32(0, UINT32_MAX, 0xc091);
	struct insn_context execute_only = context_32(0, UINT32_MAX, 0xc099);
	struct insn_context code = context_32(0, UINT32_MAX, FLAT_CODE);
	struct insn_context unusable = context_32(0, UINT32_MAX, FLAT_DATA | ACCESS_RIGHTS_UNUSABLE);

	(void)state;
	assert_true(linear(insn_effective_address(&info, 0, &read_only, 8, false)) == 0);
	expect_fault(insn_effective_address(&info, 0, &read_only, 8, true), VECTOR_GP);
	expect_fault(insn_effective_address(&info, 0, &execute_only, 8, false), VECTOR_GP);
	assert_true(linear(insn_effective_address(&info, 0, &code, 8, false)) == 0);
	expect_fault(insn_effective_address(&info, 0, &code, 8, true), VECTOR_GP);
	expect_fault(insn_effective_address(&info, 0, &unusable, 8, false), VECTOR_GP);
}

static void canonical_addresses_are_sign_extended(void **state)
{
	(void)state;
	assert_true(is_canonical(0, 48));
	assert_true(is_canonical(UINT64_C(0x00007fffffffffff), 48));
	assert_false(is_canonical(UINT64_C(0x0000800000000000), 48));
	assert_true(is_canonical(UINT64_C(0xffff800000000000), 48));
	assert_true(is_canonical(UINT64_C(0x0000800000000000), 57));
	assert_false(is_canonical(UINT64_C(0x0100000000000000), 57));
	assert_true(is_canonical(UINT64_MAX, 57));
}

/* --- linear-address masking ---------------------------------------------------------- */

static u64 masked(struct insn_context context, u64 address)
{
	struct insn_info info = memory_operand(2, SEGMENT_DS, 1, -1, 0);

	gpr[1] = address;
	return linear(insn_effective_address(&info, 0, &context, 8, false));
}

static void expect_refused(struct insn_context context, u64 address)
{
	struct insn_info info = memory_operand(2, SEGMENT_DS, 1, -1, 0);

	gpr[1] = address;
	expect_fault(insn_effective_address(&info, 0, &context, 8, false), VECTOR_GP);
}

static void metadata_in_a_user_address_is_masked(void **state)
{
	struct insn_context lam_u48 = context_64(), lam_u57 = context_64(), wide = context_64();

	(void)state;
	lam_u48.user_sign_bit = 47;
	assert_true(masked(lam_u48, UINT64_C(0x7abc123456789000)) == UINT64_C(0x0000123456789000));
	expect_refused(lam_u48, UINT64_C(0x7abc923456789000));
	expect_refused(lam_u48, UINT64_C(0xfabcf23456789000));
	lam_u57.user_sign_bit = 56;
	assert_true(masked(lam_u57, UINT64_C(0x7e00123456789000)) == UINT64_C(0x0000123456789000));
	expect_refused(lam_u57, UINT64_C(0x7e01123456789000));
	/* 5-level paging, six or fifteen bits of metadata. */
	wide.linear_address_bits = 57;
	wide.user_sign_bit = 56;
	assert_true(masked(wide, UINT64_C(0x7eab123456789000)) == UINT64_C(0x00ab123456789000));
	wide.user_sign_bit = 47;
	assert_true(masked(wide, UINT64_C(0x7eab123456789000)) == UINT64_C(0x0000123456789000));
	expect_refused(wide, UINT64_C(0x7eab923456789000));
}

static void metadata_in_a_supervisor_address_is_masked(void **state)
{
	struct insn_context context = context_64();

	(void)state;
	expect_refused(context, UINT64_C(0x8abcf23456789000));
	context.supervisor_sign_bit = 47;
	assert_true(masked(context, UINT64_C(0x8abcf23456789000)) == UINT64_C(0xfffff23456789000));
	expect_refused(context, UINT64_C(0x8abc123456789000));
	expect_refused(context, UINT64_C(0x7abc123456789000));
	assert_true(masked(context, UINT64_C(0x0000123456789000)) == UINT64_C(0x0000123456789000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_register_operand_is_decoded),
		cmocka_unit_test(a_memory_operand_is_decoded),
		cmocka_unit_test(undefined_fields_decode_to_something_valid),
		cmocka_unit_test(base_index_and_displacement_add_up),
		cmocka_unit_test(fs_and_gs_have_bases_in_64_bit_mode),
		cmocka_unit_test(a_32_bit_address_size_cuts_the_offset),
		cmocka_unit_test(a_non_canonical_address_faults),
		cmocka_unit_test(limits_and_types_do_not_count_in_64_bit_mode),
		cmocka_unit_test(a_segment_base_is_added_modulo_4_gigabytes),
		cmocka_unit_test(a_16_bit_address_wraps),
		cmocka_unit_test(an_access_beyond_the_limit_faults),
		cmocka_unit_test(an_expand_down_segment_lies_above_its_limit),
		cmocka_unit_test(types_are_checked),
		cmocka_unit_test(canonical_addresses_are_sign_extended),
		cmocka_unit_test(metadata_in_a_user_address_is_masked),
		cmocka_unit_test(metadata_in_a_supervisor_address_is_masked),
	};

	return cmocka_run_group_tests_name("insn_info", tests, NULL, NULL);
}
