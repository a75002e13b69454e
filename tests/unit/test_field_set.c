/* SPDX-License-Identifier: MIT */
/* Sets of VMCS fields: that bits are where a bitmap has them, and that rows come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmx/nested/field_set.h"

static u16 rows[VMCS_FIELD_COUNT];

/* As SDM "VMCS Shadowing Bitmap Addresses" has it: bit x of the page is encoding x. */
static bool bit_of_page(const struct field_set *set, u32 encoding)
{
	for (u32 i = 0; i < FIELD_SET_WORDS; i++)
		if (field_set_place(i) == encoding / 64)
			return set->word[i] >> encoding % 64 & 1;
	return false;
}

static void a_field_has_the_bits_of_its_encodings(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		struct field_set set = { { 0 } };
		u32 own = vmcs_fields[i].field.encoding, bits = 0;

		field_set_add(&set, vmcs_fields[i].field);
		for (u32 encoding = 0; encoding < 0x8000; encoding++)
			bits += bit_of_page(&set, encoding);
		assert_true(bit_of_page(&set, own));
		assert_int_equal(bits, vmcs_encoding_width(own) == WIDTH_64 ? 2 : 1);
		assert_int_equal(bit_of_page(&set, own + 1), bits == 2);
		assert_true(field_set_has(&set, vmcs_fields[i].field));
		assert_int_equal(field_set_rows(&set, rows), 1);
		assert_int_equal(rows[0], i);
		field_set_remove(&set, vmcs_fields[i].field);
		assert_false(field_set_has(&set, vmcs_fields[i].field));
		assert_int_equal(field_set_rows(&set, rows), 0);
	}
}

static void all_fields_come_back_once_each(void **state)
{
	bool seen[VMCS_FIELD_COUNT] = { false };
	struct field_set one = { { 0 } }, other = { { 0 } }, all = { { 0 } };
	struct row_set in_rows;

	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		field_set_add(&all, vmcs_fields[i].field);
		field_set_add(i & 1 ? &one : &other, vmcs_fields[i].field);
	}
	in_rows = field_set_row_set(&one);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		assert_int_equal(row_set_has(&in_rows, vmcs_fields[i].field), i & 1);
	row_set_unite(&in_rows, &(struct row_set){ { field_set_row_set(&other).word[0] } });
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		assert_int_equal(row_set_has(&in_rows, vmcs_fields[i].field), (i & 1) || i < 64);
	assert_int_equal(field_set_rows(&all, rows), VMCS_FIELD_COUNT);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		assert_false(seen[rows[i]]);
		seen[rows[i]] = true;
		if (i)
			assert_true(vmcs_fields[rows[i]].field.encoding != vmcs_fields[rows[i - 1]].field.encoding);
	}
}

/* Expect: L1 may open the high half alone; the field may have changed all the same. */
static void half_a_field_is_the_field(void **state)
{
	struct field_set set = { { 0 } };

	(void)state;
	field_set_add(&set, VMCS_TSC_OFFSET);
	set.word[VMCS_ENCODING_TSC_OFFSET >> 13 << 2] &= ~(UINT64_C(1) << (VMCS_ENCODING_TSC_OFFSET & 63));
	assert_true(field_set_has(&set, VMCS_TSC_OFFSET));
	assert_int_equal(field_set_rows(&set, rows), 1);
	assert_int_equal(rows[0], VMCS_INDEX_TSC_OFFSET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_has_the_bits_of_its_encodings),
		cmocka_unit_test(all_fields_come_back_once_each),
		cmocka_unit_test(half_a_field_is_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
