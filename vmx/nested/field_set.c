/* SPDX-License-Identifier: MIT */
/* Sets of VMCS fields: which word and bit an encoding has, and the rows behind them. */

#include "vmx/nested/field_set.h"

#define BIT_OF(encoding) ((encoding) & 63)

static u64 bits_of(vmcs_field field)
{
	u64 halves = vmcs_encoding_width(field.encoding) == WIDTH_64 ? 3 : 1;

	return halves << BIT_OF(field.encoding);
}

void field_set_add(struct field_set *set, vmcs_field field)
{
	set->word[vmcs_encoding_group(field.encoding)] |= bits_of(field);
}

void field_set_remove(struct field_set *set, vmcs_field field)
{
	set->word[vmcs_encoding_group(field.encoding)] &= ~bits_of(field);
}

bool field_set_has(const struct field_set *set, vmcs_field field)
{
	return (set->word[vmcs_encoding_group(field.encoding)] & bits_of(field)) != 0;
}

/* Of the first field that the word can have. */
static u32 group_encoding(u32 word)
{
	return (word >> 2) << 13 | (word & 3) << 10;
}

u16 field_set_rows(const struct field_set *set, u16 rows[VMCS_FIELD_COUNT])
{
	const u64 full = UINT64_C(0x5555555555555555);
	u16 count = 0;

	for (u32 i = 0; i < FIELD_SET_WORDS; i++)
		for (u64 left = (set->word[i] | set->word[i] >> 1) & full; left != 0; left &= left - 1)
			rows[count++] = (u16)(vmcs_rows[VMCS_PLACE(group_encoding(i)) + (u32)__builtin_ctzll(left)] - 1);
	return count;
}

struct row_set field_set_row_set(const struct field_set *set)
{
	u16 rows[VMCS_FIELD_COUNT], count = field_set_rows(set, rows);
	struct row_set out = { { 0 } };

	for (u16 i = 0; i < count; i++)
		row_set_add(&out, vmcs_fields[rows[i]].field);
	return out;
}
