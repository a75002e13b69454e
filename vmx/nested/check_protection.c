/* SPDX-License-Identifier: MIT */
/* Rules about CET state, PKRS and UINV: see check_protection.h. */

#include "vmx/nested/check_protection.h"

#include "vmx/nested/check_common.h"

/* IA32_S_CET. SDM "Control-Flow Enforcement Technology State Management". */
#define S_CET_SUPPRESS BIT(10)
#define S_CET_TRACKER BIT(11)

#define SSP_ALIGNMENT BITS(1, 0)

static bool loads_cet(const struct entry_context *context, u32 which)
{
	return which == SIDE_HOST ? has(context, WORD_EXIT, EXIT_LOAD_CET_STATE) : has(context, WORD_ENTRY, ENTRY_LOAD_CET_STATE);
}

static u64 s_cet(const struct entry_context *context, u32 which)
{
	return get(context, which == SIDE_HOST ? VMCS_HOST_IA32_S_CET : VMCS_GUEST_IA32_S_CET);
}

bool check_s_cet_reserved(const struct entry_context *context, u32 which)
{
	return !loads_cet(context, which) || (s_cet(context, which) & ~context->caps->s_cet_valid) == 0;
}

bool check_s_cet_tracker(const struct entry_context *context, u32 which)
{
	const u64 both = S_CET_SUPPRESS | S_CET_TRACKER;

	return !loads_cet(context, which) || (s_cet(context, which) & both) != both;
}

bool check_ssp_table(const struct entry_context *context, u32 which)
{
	vmcs_field field = which == SIDE_HOST ? VMCS_HOST_IA32_INTERRUPT_SSP_TABLE : VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE;

	return !loads_cet(context, which) || is_canonical_base(context, get(context, field));
}

bool check_ssp_aligned(const struct entry_context *context, u32 which)
{
	return !loads_cet(context, which) || (get(context, which == SIDE_HOST ? VMCS_HOST_SSP : VMCS_GUEST_SSP) & SSP_ALIGNMENT) == 0;
}

bool check_pkrs(const struct entry_context *context, u32 which)
{
	if (which == SIDE_HOST)
		return !has(context, WORD_EXIT, EXIT_LOAD_PKRS) || (get(context, VMCS_HOST_IA32_PKRS) >> 32) == 0;
	return !has(context, WORD_ENTRY, ENTRY_LOAD_PKRS) || (get(context, VMCS_GUEST_IA32_PKRS) >> 32) == 0;
}

/* As with RIP: not canonical, but alike from the processor's width on. */
bool check_guest_ssp_unused_bits(const struct entry_context *context, maybe_unused u32 which)
{
	u64 unused_bits = get(context, VMCS_GUEST_SSP) >> context->caps->linear_address_bits;

	return !loads_cet(context, SIDE_GUEST) || unused_bits == 0 || unused_bits == UINT64_MAX >> context->caps->linear_address_bits;
}

bool check_guest_uinv(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_ENTRY, ENTRY_LOAD_UINV) || get(context, VMCS_GUEST_UINV) <= UINT8_MAX;
}

static u64 host_field(const struct entry_context *context, u32 which)
{
	return get(context, which == FIELD_S_CET ? VMCS_HOST_IA32_S_CET : VMCS_HOST_SSP);
}

static bool is_64bit_host(const struct entry_context *context)
{
	return has(context, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE);
}

bool check_host_cet_32bit(const struct entry_context *context, u32 which)
{
	return !loads_cet(context, SIDE_HOST) || is_64bit_host(context) || (host_field(context, which) >> 32) == 0;
}

bool check_host_cet_canonical(const struct entry_context *context, u32 which)
{
	return !loads_cet(context, SIDE_HOST) || !is_64bit_host(context) || is_canonical_base(context, host_field(context, which));
}
