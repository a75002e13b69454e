/* SPDX-License-Identifier: MIT */
/* Sets of VMCS fields: which word and bit an encoding has, and the rows behind them. */

#include "vmx/nested/field_set.h"

/* SDM "Field Encoding in VMCS": width, type and index of an encoding; what is between them is reserved. */
#define NUMBER(encoding) ((((encoding) >> 13) & 3) << 2 | (((encoding) >> 10) & 3))
#define BIT_OF(encoding) ((encoding) & 63)

#define F(encoding, name, class, shadow, exists) \
	static_assert(((encoding) & ~0x6c3eu) == 0, #name ": its index does not fit a set of fields");
#include "vmx/vmcs_fields.def"
#undef F

/* The row of each full encoding; every bit that a set can have from field_set_add has one. */
static const u16 row_of[FIELD_SET_WORDS][64] = {
#define F(encoding, name, class, shadow, exists) [NUMBER(encoding)][BIT_OF(encoding)] = VMCS_INDEX_##name,
#include "vmx/vmcs_fields.def"
#undef F
};

static u64 bits_of(vmcs_field field)
{
	u64 halves = vmcs_encoding_width(field.encoding) == WIDTH_64 ? 3 : 1;

	return halves << BIT_OF(field.encoding);
}

void field_set_add(struct field_set *set, vmcs_field field)
{
	set->word[NUMBER(field.encoding)] |= bits_of(field);
}

void field_set_remove(struct field_set *set, vmcs_field field)
{
	set->word[NUMBER(field.encoding)] &= ~bits_of(field);
}

bool field_set_has(const struct field_set *set, vmcs_field field)
{
	return (set->word[NUMBER(field.encoding)] & bits_of(field)) != 0;
}

void field_set_unite(struct field_set *set, const struct field_set *other)
{
	for (u32 i = 0; i < FIELD_SET_WORDS; i++)
		set->word[i] |= other->word[i];
}

u16 field_set_rows(const struct field_set *set, u16 rows[VMCS_FIELD_COUNT])
{
	const u64 full = UINT64_C(0x5555555555555555);
	u16 count = 0;

	for (u32 i = 0; i < FIELD_SET_WORDS; i++)
		for (u64 left = (set->word[i] | set->word[i] >> 1) & full; left != 0; left &= left - 1)
			rows[count++] = row_of[i][__builtin_ctzll(left)];
	return count;
}
