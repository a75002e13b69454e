/* SPDX-License-Identifier: MIT */
/*
 * A set of VMCS fields by encoding, in the shape of a VMREAD or VMWRITE bitmap with
 * its empty parts left out: sixteen words, one for each width and type. And a set of rows of the
 * table, which is smaller, where nothing compares it with bitmaps. Pure.
 */
#pragma once

#include "vmx/vmcs_field.h"

/* Bit n of a word is the encoding whose bits 5:0 are n; a 64-bit field has two, its high half being the next. */
#define FIELD_SET_WORDS VMCS_GROUPS

struct field_set {
	u64 word[FIELD_SET_WORDS];
};

/* Both halves of the field, where it has two. */
void field_set_add(struct field_set *set, vmcs_field field);
void field_set_remove(struct field_set *set, vmcs_field field);
/* Is the field in the set, be it only with one half? */
bool field_set_has(const struct field_set *set, vmcs_field field);

/* The rows of the table that are in the set, in rising order of encodings; returns their number. */
u16 field_set_rows(const struct field_set *set, u16 rows[VMCS_FIELD_COUNT]);

#define ROW_SET_WORDS ((VMCS_FIELD_COUNT + 63) / 64)

struct row_set {
	u64 word[ROW_SET_WORDS];
};

static inline void row_set_add(struct row_set *set, vmcs_field field)
{
	set->word[field.index / 64] |= UINT64_C(1) << field.index % 64;
}

static inline bool row_set_has(const struct row_set *set, vmcs_field field)
{
	return set->word[field.index / 64] >> field.index % 64 & 1;
}

static inline void row_set_unite(struct row_set *set, const struct row_set *other)
{
	for (u32 i = 0; i < ROW_SET_WORDS; i++)
		set->word[i] |= other->word[i];
}

/* The rows of the fields that are in a set, be it only with one half. */
struct row_set field_set_row_set(const struct field_set *set);

/* Which word of a bitmap page, of 64 bits each, word `number` of a set is. SDM "VMCS Shadowing Bitmap Addresses". */
static inline u32 field_set_place(u32 number)
{
	return (number >> 2) * 128 + (number & 3) * 16;
}
