/* SPDX-License-Identifier: MIT */
/*
 * The order of all entry checks, the loop over them, and the questions that
 * controls, host state and guest state share. No rule of VM entry is here. Pure.
 */
#include "vmx/nested/check_common.h"

bool check_section(const struct entry_section *section, const struct entry_context *context, struct entry_failure *failure)
{
	for (u32 i = 0; i < section->count; i++) {
		const struct entry_check *check = &section->checks[i];

		if (likely(check->holds(context, check->which)))
			continue;
		*failure = (struct entry_failure){ .rule = check->rule, .field = check->field,
						   .value = get(context, check->field), .section = section->title,
						   .qualification = check->qualification, .number = check->number,
						   .result = section->result };
		return false;
	}
	return true;
}

const struct entry_section *const check_order[] = {
	&check_execution_section,	&check_exit_section,		&check_entry_section,
	&check_host_registers_section,	&check_host_segments_section,	&check_address_space_section,
	&check_guest_registers_section, &check_guest_segments_section,	&check_guest_tables_section,
	&check_guest_rip_section,	&check_guest_non_register_section, &check_link_pointer_section,
	&check_guest_pdptes_section,
};

const u32 check_order_count = array_size(check_order);

static bool check_all(enum refusal_result result, const struct entry_context *context, struct entry_failure *failure)
{
	for (u32 i = 0; i < check_order_count; i++)
		if (check_order[i]->result == result && !check_section(check_order[i], context, failure))
			return false;
	return true;
}

bool check_controls(const struct entry_context *context, struct entry_failure *failure)
{
	return check_all(REFUSAL_CONTROLS, context, failure);
}

bool check_host(const struct entry_context *context, struct entry_failure *failure)
{
	return check_all(REFUSAL_HOST, context, failure);
}

bool check_guest(const struct entry_context *context, struct entry_failure *failure)
{
	return check_all(REFUSAL_GUEST, context, failure);
}

bool check_is_pat_valid(u64 pat)
{
	/* Types 2, 3 and above 7 are reserved: bits 7:3 clear, and bit 1 only together with bit 2. */
	const u64 each_byte = UINT64_C(0x0101010101010101);
	u64 bit_2 = (pat >> 2) & each_byte, bit_1 = (pat >> 1) & each_byte;

	return (pat & (each_byte * 0xf8)) == 0 && (bit_1 & ~bit_2) == 0;
}

bool check_fixed_to_1(u64 value, u64 fixed0, u64 free)
{
	return (fixed0 & ~value & ~free) == 0;
}

bool check_fixed_to_0(u64 value, u64 fixed1, u64 free)
{
	return (value & ~fixed1 & ~free) == 0;
}

bool check_is_cr3_valid(const struct entry_context *context, u64 cr3)
{
	/* CR4.LAM_SUP exists where linear-address masking does; then two bits of CR3 enable it for user addresses. */
	u64 lam = (context->caps->cr4_fixed1 & CR4_LAM_SUP) != 0 ? CR3_LAM_U57 | CR3_LAM_U48 : 0;

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
