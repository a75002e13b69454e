/* SPDX-License-Identifier: MIT */
/*
 * The loop over entry checks and the questions that controls, host state and
 * guest state share. No rule of VM entry is here. Pure.
 */
#include "vmx/nested/check_common.h"

/* CR4.LAM_SUP exists where linear-address masking does; then two bits of CR3 enable it for user addresses. */
#define CR4_LAM_SUP BIT(28)
#define CR3_LAM_BITS BITS(62, 61)

bool check_section(const struct entry_section *section, const struct entry_context *context, struct entry_failure *failure)
{
	for (u32 i = 0; i < section->count; i++) {
		const struct entry_check *check = &section->checks[i];

		if (likely(check->holds(context, check->which)))
			continue;
		*failure = (struct entry_failure){ .rule = check->rule, .field = check->field,
						   .value = get(context, check->field), .section = section->title,
						   .qualification = check->qualification };
		return false;
	}
	return true;
}

bool check_is_pat_valid(u64 pat)
{
	/* Types 2, 3 and above 7 are reserved: bits 7:3 clear, and bit 1 only together with bit 2. */
	const u64 each_byte = UINT64_C(0x0101010101010101);
	u64 bit_2 = (pat >> 2) & each_byte, bit_1 = (pat >> 1) & each_byte;

	return (pat & (each_byte * 0xf8)) == 0 && (bit_1 & ~bit_2) == 0;
}

bool check_is_fixed(u64 value, u64 fixed0, u64 fixed1, u64 free)
{
	return (((fixed0 & ~value) | (value & ~fixed1)) & ~free) == 0;
}

bool check_is_cr3_valid(const struct entry_context *context, u64 cr3)
{
	u64 lam = (context->caps->cr4_fixed1 & CR4_LAM_SUP) != 0 ? CR3_LAM_BITS : 0;

	return is_physical(context, cr3 & ~lam);
}

/* Secondary controls that are not activated are not looked at. */
static bool is_looked_at(const struct entry_context *context, u32 which)
{
	return which != WORD_PROC2 || has(context, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS);
}

bool check_required_are_set(const struct entry_context *context, u32 which)
{
	return !is_looked_at(context, which) ||
	       (~vmcs12_control(context->vmcs12, which) & context->caps->control[which].must_be_1) == 0;
}

bool check_reserved_are_clear(const struct entry_context *context, u32 which)
{
	return !is_looked_at(context, which) ||
	       (vmcs12_control(context->vmcs12, which) & ~context->caps->control[which].may_be_1) == 0;
}
