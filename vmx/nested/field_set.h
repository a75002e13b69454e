/* SPDX-License-Identifier: MIT */
/*
 * A set of VMCS fields by encoding, in the shape of a VMREAD or VMWRITE bitmap with
 * its empty parts left out: sixteen words, one for each width and type. Pure.
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
void field_set_unite(struct field_set *set, const struct field_set *other);

/* The rows of the table that are in the set, in rising order of encodings; returns their number. */
u16 field_set_rows(const struct field_set *set, u16 rows[VMCS_FIELD_COUNT]);

/* Which word of a bitmap page, of 64 bits each, word `number` of a set is. SDM "VMCS Shadowing Bitmap Addresses". */
static inline u32 field_set_place(u32 number)
{
	return (number >> 2) * 128 + (number & 3) * 16;
}
